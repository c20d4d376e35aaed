"""How does a verdict become a failure, a warning or a section of a report?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from traceback import format_exc
from typing import Any, Literal

import pytest

from pytest_taskleak.adapt import xdist
from pytest_taskleak.diagnostics import TaskLeak, TaskleakWarning
from pytest_taskleak.model import Finding, Verdict
from pytest_taskleak.report import text

When = Literal["setup", "call", "teardown"]
KEY = "taskleak"
"""The attribute of a test report that carries a verdict, made of builtins only."""


class Telling:
    """Tells verdicts; its hooks are registered only once there is something to tell."""

    def __init__(self, config: pytest.Config, verbosity: int) -> None:
        self.config = config
        self.verbosity = verbosity
        self.item: pytest.Item | None = None
        self.pending: list[tuple[str, str, Verdict, bool]] = []
        self.tainted: list[str] = []
        self.faults: list[str] = []
        self.failure: pytest.TestReport | None = None

    def consult(self, leak: Finding) -> str | None:
        """Ask conftest files and other plugins whether they allow a leak."""
        try:
            reason = self.config.hook.pytest_taskleak_allow(leak=leak, item=self.item)
        except Exception:  # noqa: BLE001 -- a broken hook of the user must not allow anything
            self.faults.append(f"hook pytest_taskleak_allow raised, so nothing is allowed:\n{format_exc()}")
            return None
        return f"hook pytest_taskleak_allow ({reason})" if reason else None

    def tell(
        self, item: pytest.Item, when: When, verdict: Verdict, *, raising: bool, broken: bool = False
    ) -> None:
        """Fail, warn or note, as the findings' severities say.

        Parameters:
            broken: the test had failed before: what it left is a note under its own failure.

        Raises:
            TaskLeak: something was left behind that fails the test.
        """
        if not verdict:
            return
        self.begin()
        if broken:
            verdict = demote(verdict)
        self.observed(item, verdict)
        raising = raising and bool(verdict.level("fail") or verdict.unmet)
        self.pending.append((item.nodeid, when, verdict, raising))
        warned = verdict.level("warn")
        if warned:
            told = self.section(replace(verdict, findings=warned))
            item.warn(TaskleakWarning(f"{text.headline(warned)}\n{told}"))
        if raising:
            raise TaskLeak(self.message(verdict), pytrace=False, verdict=verdict)

    def failed_call(self, *, failed: bool) -> None:
        """Be there when the report of a failed test is made: notes go below its own failure."""
        if failed:
            self.begin()

    def observed(self, item: pytest.Item | None, verdict: Verdict) -> None:
        """Show a verdict to conftest files and other plugins."""
        try:
            self.config.hook.pytest_taskleak_leaks(item=item, verdict=verdict)
        except Exception:  # noqa: BLE001 -- an observer that raises is not the test's failure
            self.faults.append(f"hook pytest_taskleak_leaks raised:\n{format_exc()}")

    def begin(self) -> None:
        """Register the hooks below, which a clean run does not pay for."""
        if not self.config.pluginmanager.is_registered(self):
            self.config.pluginmanager.register(self, "taskleak-telling")

    def message(self, verdict: Verdict) -> str:
        """Return the whole text of a failure: a headline that stands alone, then the findings."""
        return f"{text.headline(verdict.level('fail'), verdict.unmet)}\n\n{self.section(verdict)}"

    def section(self, verdict: Verdict) -> str:
        """Return the findings as lines."""
        return text.section(verdict, verbosity=self.verbosity)

    def items(self) -> Sequence[pytest.Item]:
        """Return the tests of the session."""
        return () if self.item is None else self.item.session.items

    def last(self, watch: Any) -> None:
        """Judge, as the session ends, what was born for owners that had closed already."""
        watch.late += [scope for scope in watch.revive() if scope not in watch.late]
        self.late(watch)

    def late(self, watch: Any) -> None:
        """Charge what was found late to its makers, and warn of faults of the plugin itself."""
        while watch.late:
            scope = watch.late.pop()
            verdict = watch.close(scope)
            if verdict:
                self.deliver(scope.nodeid, verdict)
        faults, self.faults = self.faults + watch.faults, []
        watch.faults.clear()
        for fault in faults:
            self.confess(fault)
        self.tainted = watch.tainted() if watch.survivors else []

    def confess(self, fault: str) -> None:
        """Warn of a fault of the plugin itself; where warnings are errors, it is still not the test's."""
        try:
            self.config.issue_config_time_warning(TaskleakWarning(fault), stacklevel=2)
        except TaskleakWarning:
            terminal: Any = self.config.pluginmanager.get_plugin("terminalreporter")
            if terminal is not None:
                terminal.write_line(f"taskleak: {fault}")

    def deliver(self, nodeid: str, verdict: Verdict) -> None:
        """Send one more report for a test that is over: it made what was found only now."""
        failing = verdict.level("fail")
        self.begin()
        self.observed(None, verdict)
        if not any(nodeid == item.nodeid for item in self.items()):
            nodeid = self.item.nodeid if self.item is not None else nodeid
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(nodeid.split("::")[0], None, nodeid.partition("::")[2]),
            keywords={},
            outcome="failed" if failing else "passed",
            longrepr=self.message(verdict) if failing else None,
            when="teardown",
        )
        setattr(report, KEY, {**verdict.to_json(), "leaked": bool(failing)})
        with xdist.as_item(self.config, nodeid), self.uncaptured():
            self.config.hook.pytest_runtest_logreport(report=report)

    def uncaptured(self) -> AbstractContextManager[None]:
        """Let the terminal write: what is reported in mid-test is not the test's own output."""
        capture: Any = self.config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        del call
        report = yield
        if report.when == "call":
            self.failure = report if report.failed else None
        if self.tainted and report.failed:
            report.sections.append((KEY, "still running meanwhile: " + "; ".join(self.tainted)))
        mine = [p for p in self.pending if p[:2] == (item.nodeid, report.when)]
        if mine:
            self.pending = [p for p in self.pending if p not in mine]
            self.attach(report, sum((p[2] for p in mine), Verdict()), raised=any(p[3] for p in mine))
        return report

    def attach(self, report: pytest.TestReport, verdict: Verdict, *, raised: bool) -> None:
        """Put a verdict on a report, as data and, where it is not the failure itself, as a section."""
        setattr(report, KEY, {**verdict.to_json(), "leaked": raised})
        told = self.section(verdict)
        if told and not raised:
            # What a failed test left is seen in its teardown, and belongs under its own failure.
            before = self.failure if report.when == "teardown" and report.passed else None
            (before or report).sections.append((KEY, told))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        if not getattr(report, "failed", False) or not (getattr(report, KEY, None) or {}).get("leaked"):
            return None
        return ("failed" if report.when == "call" else "error", "L", "LEAKED")


class Relay:
    """Lives on xdist's controller: what a failed test left is seen after its report was sent."""

    def __init__(self, section: Callable[[Verdict], str]) -> None:
        self.section = section
        self.failures: dict[str, Any] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.failed:
            self.failures[report.nodeid] = report
        elif report.when == "teardown":
            failure = self.failures.pop(report.nodeid, None)
            told = getattr(report, KEY, None)
            if failure is not None and told is not None and report.passed:
                findings = tuple(Finding.from_json(f) for f in told["findings"])
                failure.sections.append((KEY, self.section(Verdict(findings=findings))))


def demote(verdict: Verdict) -> Verdict:
    """Make notes of what a test left that had failed already; wider fixtures stand for themselves."""
    findings = tuple(
        f if f.owner.kind == "fixture" and f.owner.scope != "function" else replace(f, severity="note")
        for f in verdict.findings
    )
    return replace(verdict, findings=findings)
