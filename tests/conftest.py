"""Runs small suites under the plugin and reads what their reports say."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_taskleak import clock, groups, loops

# A session that pytester runs inside this one drops the modules it has loaded: the next to import one would
# get a copy beside that which others hold.
for _room in (clock, groups, loops):
    for _module in pkgutil.iter_modules(_room.__path__):
        importlib.import_module(f"{_room.__name__}.{_module.name}")

RECORDER = '''\
"""Writes every report that the terminal gets to a file."""

import json


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(Recorder(config.rootpath / "reports.json"), "recorder")


class Recorder:
    def __init__(self, path):
        self.path = path
        self.path.write_text("")

    def pytest_runtest_logreport(self, report):
        row = {
            "nodeid": report.nodeid,
            "when": report.when,
            "outcome": report.outcome,
            "text": report.longreprtext,
            "sections": [list(section) for section in report.sections],
            "taskleak": getattr(report, "taskleak", None),
            "kind": type(report).__name__,
        }
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\\n")
'''

INI = {"asyncio_mode": "auto", "asyncio_default_fixture_loop_scope": "function"}
PRELUDE = """\
import asyncio
import threading

import pytest


GATES = []  # a task that waits for what nobody else knows may be collected at any time


async def forever():
    gate = asyncio.Event()
    GATES.append(gate)
    await gate.wait()
"""


@dataclass(frozen=True)
class Report:
    """One report as the terminal got it."""

    nodeid: str
    when: str
    outcome: str
    text: str
    sections: list[list[str]]
    taskleak: dict[str, Any] | None
    kind: str

    @property
    def name(self) -> str:
        """The test's name without its file."""
        return self.nodeid.partition("::")[2]

    @property
    def section(self) -> str:
        """The plugin's own section."""
        return "\n".join(body for title, body in self.sections if title == "taskleak")

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What was found."""
        return list(self.taskleak["findings"]) if self.taskleak else []


@dataclass(frozen=True)
class Done:
    """A finished run."""

    ret: int
    out: str
    err: str
    reports: list[Report] = field(default_factory=list)

    @property
    def counts(self) -> str:
        """The line of totals, without colours and time."""
        totals = re.findall(r"^=+ (.+) in [0-9.]+s.* =+$", self.out, re.MULTILINE)
        return totals[-1] if totals else ""

    def of(self, name: str, when: str | None = None) -> list[Report]:
        """The reports of one test, by its name."""
        return [r for r in self.reports if r.name == name and when in (None, r.when)]

    def one(self, name: str, when: str) -> Report:
        """The report of one phase of a test."""
        (report,) = self.of(name, when)
        return report

    def findings(self, name: str | None = None) -> list[dict[str, Any]]:
        """Everything found, or what was found on one test."""
        return [f for r in self.reports if name in (None, r.name) for f in r.findings]

    def told(self) -> dict[str, list[str]]:
        """Test -> the codes and names that its reports carry, for tests that carry any."""
        table: dict[str, list[str]] = {}
        for report in self.reports:
            for found in report.findings:
                table.setdefault(report.name, []).append(f"{found['code']} {found['name']}")
        return table

    def failed(self) -> list[tuple[str, str]]:
        """The name and phase of each failed report."""
        return [(r.name, r.when) for r in self.reports if r.outcome == "failed"]


class Suite:
    """A suite in a folder of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.ini: dict[str, str] = dict(INI)
        self.plugins = ["asyncio", "taskleak"]
        pytester.makepyfile(suite_recorder=RECORDER)

    def write(self, tests: str = "", *, prelude: str = PRELUDE, **files: str) -> None:
        """Write `test_it.py`, with imports and `forever()` before it, and other files as they are."""
        if tests:
            files["test_it"] = prelude + textwrap.dedent(tests)
        self.pytester.makepyfile(**{name: textwrap.dedent(text) for name, text in files.items()})

    def run(
        self, *args: str, taskleak: bool = True, env: dict[str, str] | None = None, process: bool = False
    ) -> Done:
        """Run the suite with no plugins but `self.plugins`.

        Parameters:
            taskleak: give `--taskleak`.
            env: environment variables.
            process: run it in a process of its own, else as a session inside this one.
        """
        lines = [f"{key} = {value}" for key, value in self.ini.items()]
        self.pytester.makeini("[pytest]\n" + "\n".join(lines) + "\n")
        given = [x for name in self.plugins for x in ("-p", name)]
        flags = ["--taskleak"] if taskleak else []
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            patch.setenv("PYTHONPATH", str(self.pytester.path))
            for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTHONDEVMODE", "TASKLEAK"):
                patch.delenv(name, raising=False)
            for name in ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CI"):
                patch.delenv(name, raising=False)
            patch.setenv("COLUMNS", "160")
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            line = [*given, "-p", "suite_recorder", *flags, *args]
            if process:
                result = self.pytester.runpytest_subprocess(*line, timeout=60)
            else:
                patch.syspath_prepend(self.pytester.path)
                # The outer session's filters hold on inside, and modules that are loaded are not rewritten.
                quiet = ["-W", "default", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
                result = self.pytester.runpytest_inprocess(*quiet, *line)
        return Done(int(result.ret), result.stdout.str(), result.stderr.str(), list(self._reports()))

    def _reports(self) -> Iterable[Report]:
        path = self.pytester.path / "reports.json"
        if not path.exists():
            return
        for line in path.read_text().splitlines():
            yield Report(**json.loads(line))
        path.unlink()

    def __call__(self, tests: str, *args: str, **options: Any) -> Done:
        """Write the tests and run them."""
        self.write(tests)
        return self.run(*args, **options)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    """A small suite to be run."""
    return Suite(pytester)


@pytest.fixture
def usage_error(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that runs pytest in this process and returns its usage error."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_it="def test_a(): pass")

    def run(*args: str, **ini: str) -> str:
        lines = [f"{key} = {value}" for key, value in {**INI, **ini}.items()]
        pytester.makeini("[pytest]\n" + "\n".join(lines) + "\n")
        done = pytester.runpytest_inprocess("-p", "asyncio", "-p", "taskleak", *args)
        assert done.ret == pytest.ExitCode.USAGE_ERROR, done.stdout.str() + done.stderr.str()
        return done.stderr.str() + done.stdout.str()

    return run
