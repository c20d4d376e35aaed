"""What does pytest do for the audit of spawn sites: when does it look, where does it tell, when does it fail?

Processes that run tests count; the one that the terminal belongs to reads the source, and makes one table of
all.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from traceback import format_exception_only
from typing import Any

import pytest

from pytest_taskleak.adapt import xdist
from pytest_taskleak.audit.crossing import Counts, expanded, export
from pytest_taskleak.audit.export import content
from pytest_taskleak.audit.files import Where
from pytest_taskleak.audit.gate import failing, verdict
from pytest_taskleak.audit.layout import block, lines
from pytest_taskleak.audit.project import Project
from pytest_taskleak.audit.seen import Seen
from pytest_taskleak.audit.sites import Problem
from pytest_taskleak.audit.table import Row, Table
from pytest_taskleak.audit.wraps import Wraps
from pytest_taskleak.options import Limits

KEY = "taskleak_audit"
"""Under which a worker of xdist sends what it has counted."""
WAY_OUT = "change that, or say on the line why it is meant: # taskleak: fire-and-forget because ..."


class Counting:
    """Counts in a process that runs tests.

    Parameters:
        config: pytest's configuration.
        where: what belongs to the user.
    """

    def __init__(self, config: pytest.Config, where: Where) -> None:
        self.config = config
        self.where = where
        self.seen = Seen()
        self.wraps = Wraps(self.seen)

    def begin(self) -> None:
        """Count from here to the end of the session."""
        self.wraps.install()
        self.config.add_cleanup(self.wraps.uninstall)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.seen.test = item.nodeid
        self.wraps.refresh()
        try:
            return (yield)
        finally:
            self.seen.test = ""

    @pytest.hookimpl(wrapper=True, trylast=True)  # after all others, before a worker of xdist reports
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        yield
        output: Any = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[KEY] = {**self.counts(), "faults": list(self.seen.faults)}

    def counts(self) -> dict[str, Any]:
        """Return what was counted, and count no more."""
        self.seen.on = False  # the wraps of the watch stand above ours, and are undone before
        self.seen.finish()
        return export(self.seen, self.where)


class Auditing:
    """Makes the table, tells it, and lets the session fail.

    Parameters:
        config: pytest's configuration.
        limits: what is asked for.
        where: what belongs to the user.
        counting: what counts in this process, if that runs tests.
    """

    def __init__(
        self, config: pytest.Config, limits: Limits, where: Where, counting: Counting | None
    ) -> None:
        self.config = config
        self.limits = limits
        self.where = where
        self.counting = counting
        self.counts: list[Counts] = []
        self.faults: list[str] = []
        self.rows: list[Row] = []
        self.problems: list[Problem] = []
        self.told: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        sent = getattr(node, "workeroutput", {}).get(KEY, {})
        self.counts += expanded(sent)
        self.faults += sent.get("faults", ())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        try:
            self.join()
        except Exception as error:  # noqa: BLE001 -- the audit never harms the run
            self.faults.append("".join(format_exception_only(error)))
        gate = self.limits.gate
        if failing(self.rows, gate) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for path in self.limits.audits:
            self.write(path)

    def join(self) -> None:
        """Make the table of what was read and what was seen."""
        if self.counting is not None:
            self.counts += expanded(self.counting.counts())
            self.faults += self.counting.seen.faults
        project = Project(self.where)
        self.rows = Table(project).rows(self.counts)
        self.problems = sorted(set(project.problems), key=lambda problem: (problem.path, problem.line))

    def write(self, path: str) -> None:
        """Write one report; one that cannot be written is told, and no failure."""
        text = content(path, self.rows, self.problems, self.limits.gate)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.told.append(f"taskleak: warning: {path} could not be written: {error.strerror or error}")
        else:
            self.told.append(f"taskleak: wrote {path}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        failed = failing(self.rows, self.limits.gate)
        shows = self.limits.audit or bool(self.limits.audits)
        if shows or failed:
            terminalreporter.write_sep("=", "taskleak audit")
        if shows:
            for line in lines(self.rows, self.problems):
                terminalreporter.write_line(line)
        elif failed:
            for row in failed:
                for line in block(row):
                    terminalreporter.write_line(line)
        if failed:
            terminalreporter.write_line(verdict(len(failed), self.limits.gate), red=True)
            terminalreporter.write_line(f"taskleak: {WAY_OUT}")
        for line in (
            *self.told,
            *(f"taskleak: the audit itself has failed: {fault}" for fault in self.faults),
        ):
            terminalreporter.write_line(line)


def begin(config: pytest.Config, limits: Limits) -> None:
    """Audit this session."""
    where = Where(
        root=str(config.rootpath),
        skip=tuple(config.getini("norecursedirs")),
        tests=tuple(config.getini("testpaths")),
        patterns=tuple(config.getini("python_files")),
    )
    counting = None
    if not xdist.is_controller(config):
        counting = Counting(config, where)
        counting.begin()
        config.pluginmanager.register(counting, "taskleak-counting")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Auditing(config, limits, where, counting), "taskleak-auditing")
