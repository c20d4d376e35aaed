"""How are the settings of a run and of a marker read and checked?

Every value is read once, when the run is configured, so that a typo is a usage error at the start.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_taskleak.adapt import pytest_
from pytest_taskleak.judge.allow import Rule, RuleError, parse, singular, suggestion
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.model import Code, Level
from pytest_taskleak.options import (
    AUDIT_SUFFIXES,
    BY_NAME,
    EXPLAIN,
    GATES,
    LEVELS,
    LIBRARY_LEVELS,
    MARKER_ARGUMENTS,
    MARKER_NAMES,
    MODES,
    OPTIONS,
    SUFFIXES,
    Limits,
)
from pytest_taskleak.values import ini, one_of, places, usage, value_of, word_of

UNCAUGHT = ("SIGKILL", "SIGSTOP")
"""Signals that no process can handle."""


def is_off(environ: Any = os.environ) -> bool:
    """Tell whether the environment switches everything off."""
    value = environ.get("TASKLEAK", "").strip().lower()
    if value not in ("", "off", "0", "no", "false", "on", "1", "yes", "true"):
        raise pytest.UsageError(f"taskleak: environment variable TASKLEAK must be on or off, got {value!r}")
    return value in ("off", "0", "no", "false")


class Reader:
    """Reads settings against the kinds and codes that the detectors bring.

    Parameters:
        kinds: kind -> whether it is watched by default.
        codes: message code -> its page.
    """

    def __init__(self, kinds: Mapping[str, bool], codes: Mapping[str, Code]) -> None:
        self.kinds = tuple(kinds)
        self.watched = frozenset(kind for kind, default in kinds.items() if default)
        self.codes = tuple(codes)
        self.levels = {name: code.level for name, code in codes.items()}

    def policy(self, config: pytest.Config) -> Policy:
        """Return the policy of the session.

        Raises:
            pytest.UsageError: a value is not allowed; the message names it, its place and the others.
        """
        known_keys(config)
        modes = BY_NAME["taskleak"]
        one_of(ini(config, modes), MODES, "mode", f"ini {modes.name}")
        mode, where = value_of(config, modes)
        if config.getoption("--taskleak") and where != "--taskleak-mode":
            mode, where = ("warn" if mode == "warn" else "fail"), "--taskleak"
        return Policy(
            mode="off" if is_off() else one_of(mode, MODES, "mode", where),
            grace=self.seconds(*value_of(config, BY_NAME["taskleak_grace"])),
            detect=self.detect(*value_of(config, BY_NAME["taskleak_detect"])),
            rules=tuple(
                self.rule(text, where)
                for texts, where in places(config, BY_NAME["taskleak_allow"])
                for text in texts
            ),
            library=word_of(config, "taskleak_library", LIBRARY_LEVELS),
            levels=self.levels,
            severity=dict(
                self.severity(text, where)
                for texts, where in reversed(places(config, BY_NAME["taskleak_severity"]))
                for text in texts
            ),
            explain=word_of(config, "taskleak_explain", EXPLAIN),
        )

    def limits(self, config: pytest.Config) -> Limits:
        """Return what is asked of the session beside the watch; nothing where the environment says off.

        Raises:
            pytest.UsageError: as `policy` does.
        """
        read = Limits(
            timeout=self.seconds(*value_of(config, BY_NAME["taskleak_timeout"]), what="timeout"),
            exit=self.seconds(*value_of(config, BY_NAME["taskleak_exit"]), what="exit"),
            signal=signal_of(*value_of(config, BY_NAME["taskleak_signal"])),
            reports=files_of(config, "taskleak_report", SUFFIXES),
            seed=seed_of(*value_of(config, BY_NAME["taskleak_seed"])),
            budget=self.seconds(*budget_of(config), what="budget"),
            replay=str(value_of(config, BY_NAME["taskleak_replay"])[0]).strip(),
            audit=bool(config.getoption("--taskleak-audit")),
            gate=word_of(config, "taskleak_audit", GATES),
            audits=files_of(config, "taskleak_audit_report", AUDIT_SUFFIXES),
        )
        beside = Limits(seed=read.seed, budget=read.budget, replay=read.replay)
        return beside if is_off() else read

    def seconds(self, value: Any, where: str, *, what: str = "grace") -> float:
        """Return a number of seconds."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if isinstance(value, bool) or not 0 <= number < float("inf"):
            raise usage(what, "seconds, 0 or more", value, where, words="must be")
        return number

    def detect(self, value: Any, where: str) -> frozenset[str]:
        """Return the kinds to watch; `+kind` and `-kind` edit the default."""
        if value is not None and not isinstance(value, str | list | tuple | set | frozenset):
            raise usage("detect", f"kinds of {', '.join(self.kinds)}", value, where)
        words = [value] if isinstance(value, str) else list(value or ())
        words = [w for word in words for w in str(word).replace(",", " ").split()]
        plain = {self.kind(w, where) for w in words if w[0] not in "+-"}
        chosen = plain or set(self.watched)
        chosen |= {self.kind(w[1:], where) for w in words if w[0] == "+"}
        chosen -= {self.kind(w[1:], where) for w in words if w[0] == "-"}
        return frozenset(chosen)

    def kind(self, word: str, where: str) -> str:
        """Return the kind that a word means."""
        kind = singular(word, self.kinds)
        if kind not in self.kinds:
            raise usage("detect", ", ".join(self.kinds), word, where, suggestion(word, self.kinds))
        return kind

    def rule(self, text: Any, where: str, reason: str = "") -> Rule:
        """Return an allow rule."""
        try:
            return parse(text, origin=where, kinds=self.kinds, codes=self.codes, reason=reason)
        except RuleError as error:
            raise pytest.UsageError(f"taskleak: {error} ({where})") from None

    def severity(self, text: str, where: str) -> tuple[str, Level]:
        """Return (kind or code, level)."""
        head, _, name = (part.strip() for part in text.partition("="))
        kind = singular(head, self.kinds)
        if kind not in self.kinds and kind not in self.codes:
            close = suggestion(head, [*self.kinds, *self.codes])
            known = (
                f"KIND=LEVEL or CODE=LEVEL; kinds are {', '.join(self.kinds)}, codes {', '.join(self.codes)}"
            )
            raise usage("severity", known, text, where, close, words="must be")
        return kind, one_of(name, LEVELS, "severity", where)

    def marked(self, node: pytest.Item | pytest.Collector, base: Policy) -> Policy | None:
        """Return the policy that the markers of a node make of `base`, `None` where it has none."""
        marks = [(n, m) for n, m in node.iter_markers_with_node() if m.name in MARKER_NAMES]
        if not marks:
            return None
        policy = base
        for bearer, mark in reversed(marks):  # the nearest last, so that it wins
            policy = self.apply(mark, policy, f"marker on {bearer.nodeid}", on=not is_off())
        return policy

    def apply(self, mark: pytest.Mark, policy: Policy, where: str, *, on: bool) -> Policy:
        """Return a policy changed by one marker."""
        allowed = ("reason",) if mark.name == "no_taskleak" else MARKER_ARGUMENTS
        for name in mark.kwargs:
            if name not in allowed:
                close = suggestion(name, allowed)
                raise pytest.UsageError(
                    f"taskleak: marker {mark.name} has no argument {name!r}{close}; "
                    f"allowed: {', '.join(allowed)} ({where})"
                )
        if mark.args:
            raise pytest.UsageError(
                f"taskleak: marker {mark.name} takes keyword arguments only, got {mark.args!r}; "
                f"allowed: {', '.join(allowed)} ({where})"
            )
        if mark.name == "no_taskleak":
            return replace(policy, mode="off")
        given = mark.kwargs
        reason = given.get("reason") or ""
        if not isinstance(reason, str):
            raise usage("reason", "a string", reason, where, words="must be")
        changes: dict[str, Any] = {}
        if given.get("mode") is not None:
            changes["mode"] = one_of(given["mode"], MODES, "mode", where)
        elif not given and policy.mode == "off":
            changes["mode"] = "fail"
        if given.get("grace") is not None:
            changes["grace"] = self.seconds(given["grace"], where)
        if given.get("detect") is not None:
            changes["detect"] = self.detect(given["detect"], where)
        rules = tuple(self.rule(text, where, reason) for text in texts(given.get("allow")))
        changes["rules"] = rules + policy.rules
        if "expect" in given:
            changes["expect"] = tuple(self.rule(text, where) for text in texts(given["expect"]))
        return replace(policy, **(changes if on else {}))


def texts(value: Any) -> list[Any]:
    """Return a list of rules from one rule or several."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def signal_of(value: Any, where: str) -> str:
    """Return the full name of a signal, empty for none."""
    word = str(value).strip().upper()
    if word in ("", "NONE"):
        return ""
    names = [each.name for each in signal.Signals if each.name not in UNCAUGHT]
    if f"SIG{word.removeprefix('SIG')}" not in names:
        short = ["none", *(name.removeprefix("SIG") for name in names)]
        raise usage("signal", ", ".join(short), value, where, suggestion(word, short))
    return f"SIG{word.removeprefix('SIG')}"


def seed_of(value: Any, where: str) -> int | None:
    """Return a seed; a new one for the word `random`."""
    word = str(value).strip().lower()
    if word in ("", "none"):
        return None
    if word == "random":
        return int.from_bytes(os.urandom(4), "big")
    if not word.isascii() or not word.isdigit():
        raise usage("seed", "none, random or a whole number, 0 or more", value, where, words="must be")
    return int(word)


def budget_of(config: pytest.Config) -> tuple[str, str]:
    """Return the text of the budget without its unit, and where it stands."""
    value, where = value_of(config, BY_NAME["taskleak_budget"])
    return str(value).strip().removesuffix("s"), where


def files_of(config: pytest.Config, name: str, suffixes: Sequence[str]) -> tuple[str, ...]:
    """Return the files to write; options count from the current folder, the ini file from the root's."""
    what = name.removeprefix("taskleak_")
    found: dict[str, None] = {}
    folders = (config.invocation_params.dir, config.rootpath)
    for (paths, where), folder in zip(places(config, BY_NAME[name]), folders, strict=True):
        for path in paths:
            full = os.path.abspath(os.path.join(folder, os.path.expanduser(path)))
            if os.path.splitext(full)[1] not in suffixes:
                raise usage(what, ", ".join(suffixes), path, where, words="must end in one of")
            if os.path.isdir(full):
                raise usage(what, "a file, not a folder", path, where, words="must be")
            found[full] = None
    return tuple(found)


def known_keys(config: pytest.Config) -> None:
    """Refuse ini keys that look like ours and are not."""
    known = [*(option.name for option in OPTIONS), "verbosity_taskleak"]
    for key in pytest_.ini_keys(config):
        if "taskleak" in key and key not in known:
            close = suggestion(key, known)
            raise pytest.UsageError(f"taskleak: unknown ini key {key!r}{close}; allowed: {', '.join(known)}")


def verbosity(config: pytest.Config) -> int:
    """Return how much is told: `verbosity_taskleak`, else pytest's own verbosity."""
    text = str(config.getini("verbosity_taskleak"))
    if text == "auto":
        return int(config.get_verbosity())
    try:
        return int(text)
    except ValueError:
        raise usage("verbosity", "an integer, auto", text, "ini verbosity_taskleak") from None
