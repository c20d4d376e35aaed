"""Which options, ini keys and markers exist?  One table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

MODES = ("fail", "warn", "off")
LIBRARY_LEVELS = ("fail", "warn", "ignore")
LEVELS = ("fail", "warn", "note", "ignore")
EXPLAIN = ("none", "short", "full")
SUFFIXES = (".json", ".html", ".mmd", ".dot")
GATES = ("none", "no-bare-create-task")
AUDIT_SUFFIXES = (".json", ".md")
MARKER_ARGUMENTS = ("mode", "allow", "grace", "detect", "expect", "reason", "storm", "cancel")
MARKER_NAMES = ("taskleak", "no_taskleak")
CLOCK_NAME = "fake_clock"
"""The name of the fixture and of its marker."""
MARKERS = (
    (
        "taskleak(*, mode=None, allow=(), grace=None, detect=None, expect=(), reason='', "
        "storm=None, cancel=None): settings of the leak check for this test; the nearest marker wins, allow "
        "adds up. Bare, or with mode=, it also switches the check on where --taskleak is not given. "
        "storm='quick' stops the test's async fixtures at every moment of its body; cancel='each' cancels it "
        "at every await."
    ),
    "no_taskleak(*, reason=''): leave this test out of the leak check.",
    (
        "fake_clock(*, auto=True, io='grace', io_grace=0.1, hang_after=5, threads=False, wall=None, "
        "modules=(), lateness=0, start=None, strict=False, seed=None, level='arrival', driver='auto'): "
        "run this test in virtual time; with the fixture of that name, its options."
    ),
)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One setting: its ini key, its flag, what it takes.

    Parameters:
        name: the ini key.
        flag: the command line option, if there is one.
        type: the ini type, in pytest's words.
        default: what holds when nothing is said.
        values: what is allowed, in words.
        help: one phrase.
        many: whether the flag may be given again.
    """

    name: str
    flag: str | None
    type: Any
    default: Any
    values: str
    help: str
    many: bool = False


OPTIONS: tuple[Option, ...] = (
    Option(
        name="taskleak",
        flag="--taskleak-mode",
        type="string",
        default="off",
        values="fail, warn, off",
        help="What a leak does: fail the test, warn, or nothing because nobody watches",
    ),
    Option(
        name="taskleak_grace",
        flag="--taskleak-grace",
        type="float",
        default=0.1,
        values="seconds, 0 or more",
        help="Seconds a test may spend on waiting for what is about to end; clean tests never wait",
    ),
    Option(
        name="taskleak_detect",
        flag="--taskleak-detect",
        type="args",
        default=(),
        values="kinds; +KIND and -KIND edit the default",
        help="Kinds of resource to watch",
    ),
    Option(
        name="taskleak_allow",
        flag="--taskleak-allow",
        type="linelist",
        default=(),
        values="KIND:GLOB, KIND:FIELD=GLOB, CODE or CODE:GLOB",
        help="Allow what matches this rule to be left behind",
        many=True,
    ),
    Option(
        name="taskleak_library",
        flag="--taskleak-library",
        type="string",
        default="fail",
        values="fail, warn, ignore",
        help="What a leak does that no code of the project took part in",
    ),
    Option(
        name="taskleak_severity",
        flag="--taskleak-severity",
        type="linelist",
        default=(),
        values="KIND=LEVEL or CODE=LEVEL; LEVEL is fail, warn, note or ignore",
        help="How bad a kind or a code is",
        many=True,
    ),
    Option(
        name="taskleak_explain",
        flag="--taskleak-explain",
        type="string",
        default="short",
        values="none, short, full",
        help="How much is found out of a leak: what it waits for and who keeps it",
    ),
    Option(
        name="taskleak_report",
        flag="--taskleak-report",
        type="linelist",
        default=(),
        values="PATH that ends in .json, .html, .mmd or .dot",
        help="Write what was found to this file: all of it, a page on storms, or the wait-for graph",
        many=True,
    ),
    Option(
        name="taskleak_timeout",
        flag="--taskleak-timeout",
        type="float",
        default=0.0,
        values="seconds, 0 for never",
        help="Seconds after which a test's setup, call or teardown hangs: say why, and fail it",
    ),
    Option(
        name="taskleak_exit",
        flag="--taskleak-exit",
        type="float",
        default=0.0,
        values="seconds, 0 for never",
        help="Seconds after which a finished session that does not exit is ended, with its exit status",
    ),
    Option(
        name="taskleak_signal",
        flag="--taskleak-signal",
        type="string",
        default="none",
        values="none, USR1, USR2 or another signal of this platform",
        help="Signal on which a running session prints what everything waits for",
    ),
    Option(
        name="taskleak_seed",
        flag="--taskleak-seed",
        type="string",
        default="none",
        values="none, random or a whole number, 0 or more",
        help="Seed of every fake clock and storm: decides, each time alike, what asyncio leaves open",
    ),
    Option(
        name="taskleak_budget",
        flag="--taskleak-budget",
        type="string",
        default="0",
        values="seconds, as 2 or 2s, or 0 for as long as it takes",
        help="Real seconds for the sweep of one shutdown storm",
    ),
    Option(
        name="taskleak_spread",
        flag="--taskleak-spread",
        type="string",
        default="1",
        values="a whole number, 1 or more, or auto: as many as xdist has workers",
        help="Parts of each shutdown storm, each a test of its own, so that workers share them",
    ),
    Option(
        name="taskleak_replay",
        flag="--taskleak-replay",
        type="string",
        default="",
        values="the token that a failing shutdown storm has printed",
        help="Let a shutdown storm run this one moment",
    ),
    Option(
        name="taskleak_audit",
        flag="--taskleak-audit-gate",
        type="string",
        default="none",
        values="none, no-bare-create-task",
        help="Fail the session if the project's code makes tasks that nobody awaits, groups or keeps",
    ),
    Option(
        name="taskleak_audit_report",
        flag="--taskleak-audit-report",
        type="linelist",
        default=(),
        values="PATH that ends in .json or .md",
        help="Audit where tasks, timers and threads are made, and write the table to this file",
        many=True,
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}
SWITCHES = {
    "--taskleak": (
        "Fail every test that leaves tasks, threads, processes, servers ... behind, or loses exceptions"
    ),
    "--taskleak-audit": (
        "Show where the project's code makes tasks, timers and threads, and what becomes of them"
    ),
}
"""The flags that take no value, and what each does."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is asked of a session beside the watch.

    Parameters:
        timeout: seconds that a phase of a test may take, 0 for any time.
        exit: seconds that the process may take to end after its session, 0 for any time.
        signal: the name of the signal that asks for a dump, as `SIGUSR1`; empty for none.
        reports: the files to write, as absolute paths.
        seed: the seed of every fake clock and storm, `None` where each says its own.
        budget: real seconds for the sweep of one storm, 0 for as long as it takes.
        replay: the one moment that storms are to run; empty for all.
        audit: whether the table of all spawn sites is to be shown.
        gate: which of them let the session fail, `none` for none.
        audits: the files to write that table to, as absolute paths.
    """

    timeout: float = 0.0
    exit: float = 0.0
    signal: str = ""
    reports: tuple[str, ...] = ()
    seed: int | None = None
    budget: float = 0.0
    replay: str = ""
    audit: bool = False
    gate: str = "none"
    audits: tuple[str, ...] = ()

    @property
    def audits_sites(self) -> bool:
        """Whether spawn sites are looked for at all."""
        return self.audit or self.gate != "none" or bool(self.audits)


def register(parser: pytest.Parser) -> None:
    """Add every option and ini key to pytest's parser."""
    group = parser.getgroup("taskleak", "concurrency-leak detection (pytest-taskleak)")
    for switch, does in SWITCHES.items():
        group.addoption(switch, action="store_true", default=False, help=does)
    for option in OPTIONS:
        group.addoption(
            str(option.flag),
            action="append" if option.many else "store",
            dest=str(option.flag).removeprefix("--").replace("-", "_"),
            default=None,
            metavar=option.values.split(",")[0].split(" ")[0].upper() if option.many else None,
            help=f"{option.help} ({option.values})",
        )
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        parser.addini(option.name, f"{option.help} ({option.values})", type=option.type, default=default)
    parser.addini("verbosity_taskleak", "Verbosity of leak reports (an integer, or auto)", default="auto")


def are_set(config: pytest.Config) -> bool:
    """Tell whether anything was said on the command line or in the ini file."""
    if any(config.getoption(switch) for switch in SWITCHES):
        return True
    for option in OPTIONS:
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        try:
            same = config.getini(option.name) == default
        except (TypeError, ValueError, pytest.UsageError):
            return True  # something is said that cannot be read; the reader says what
        if config.getoption(str(option.flag)) is not None or not same:
            return True
    return False
