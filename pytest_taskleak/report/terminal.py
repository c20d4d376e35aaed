"""How do verdicts reach people: as failures, warnings, sections, and a table at the end?"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest

from pytest_taskleak.adapt import xdist
from pytest_taskleak.diagnostics import TaskLeak, TaskleakWarning
from pytest_taskleak.engine.patch import PATCHES
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.model import Finding, Verdict
from pytest_taskleak.report import text
from pytest_taskleak.state import WATCH

When = Literal["setup", "call", "teardown"]


class Telling:
    """Tells verdicts: registered with pytest only once there is something to tell."""

    def __init__(self, config: pytest.Config, verbosity: int) -> None:
        self.config = config
        self.verbosity = verbosity
        self.item: pytest.Item | None = None
        self.pending: list[tuple[str, str, Verdict, bool]] = []
        self.tainted: list[str] = []
        self.failure: pytest.TestReport | None = None

    def consult(self, leak: Finding) -> str | None:
        """Ask conftest files and other plugins whether they allow a leak."""
        reason = self.config.hook.pytest_taskleak_allow(leak=leak, item=self.item)
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
        self.config.hook.pytest_taskleak_leaks(item=item, verdict=verdict)
        failing = verdict.level("fail")
        raising = raising and bool(failing or verdict.unmet)
        self.pending.append((item.nodeid, when, verdict, raising))
        warned = verdict.level("warn")
        if warned:
            item.warn(TaskleakWarning(f"{text.headline(warned)}\n{self.section(replace(verdict, findings=warned))}"))
        if raising:
            raise TaskLeak(self.message(verdict), pytrace=False, verdict=verdict)

    def failed_call(self, failed: bool) -> None:  # noqa: FBT001 -- the outcome itself
        """Be there when the report of a failed test is made: notes go below its own failure."""
        if failed:
            self.begin()

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
        while watch.faults:
            fault = TaskleakWarning(watch.faults.pop(0))
            self.config.issue_config_time_warning(fault, stacklevel=2)
        self.tainted = watch.tainted() if watch.survivors else []

    def deliver(self, nodeid: str, verdict: Verdict) -> None:
        """Send one more report for a test that is over: it made what was found only now."""
        failing = verdict.level("fail")
        self.begin()
        self.config.hook.pytest_taskleak_leaks(item=None, verdict=verdict)
        if not any(nodeid == item.nodeid for item in self.items()):
            nodeid = self.item.nodeid if self.item is not None else nodeid
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(nodeid.split("::")[0], None, nodeid.partition("::")[2]),
            keywords={},
            outcome="failed" if failing else "passed",
            longrepr=f"TaskLeak: {self.message(verdict)}" if failing else None,
            when="teardown",
        )
        report.taskleak = {**verdict.to_json(), "leaked": bool(failing)}
        with xdist.as_item(self.config, nodeid):
            self.config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call":
            self.failure = report if report.failed else None
        mine = [p for p in self.pending if p[:2] == (item.nodeid, report.when)]
        if self.tainted and report.failed:
            report.sections.append(("taskleak", "still running meanwhile: " + "; ".join(self.tainted)))
        if not mine:
            return report
        self.pending = [p for p in self.pending if p not in mine]
        verdict = sum((p[2] for p in mine), Verdict())
        raised = any(p[3] for p in mine)
        report.taskleak = {**verdict.to_json(), "leaked": raised}
        told = self.section(verdict)
        if told and not raised:
            # What a failed test left is seen in its teardown, and belongs under its own failure.
            before = self.failure if report.when == "teardown" and report.passed else None
            (before or report).sections.append(("taskleak", told))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        if not getattr(report, "failed", False) or not (getattr(report, "taskleak", None) or {}).get("leaked"):
            return None
        return ("failed" if report.when == "call" else "error", "L", "LEAKED")


def demote(verdict: Verdict) -> Verdict:
    """Make notes of what a test left that had failed already; wider fixtures stand for themselves."""
    findings = tuple(
        f if f.owner.kind == "fixture" and f.owner.scope != "function" else replace(f, severity="note")
        for f in verdict.findings
    )
    return replace(verdict, findings=findings)


class Summary:
    """The header line, and the table at the end; on xdist's controller for all workers."""

    def __init__(self, config: pytest.Config, telling: Telling, policy: Policy) -> None:
        self.config = config
        self.telling = telling
        self.policy = policy
        self.used: set[str] = set()
        self.adopted: list[str] = []
        self.unseen: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        watch = self.config.stash.get(WATCH, None)
        if watch is None:
            return
        self.used |= watch.used
        self.adopted += watch.claims.adopted
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["taskleak"] = {"used": sorted(self.used), "adopted": self.adopted}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        told = getattr(node, "workeroutput", {}).get("taskleak", {})
        self.used |= set(told.get("used", ()))
        self.adopted += [line for line in told.get("adopted", ()) if line not in self.adopted]

    def unused(self, terminalreporter: Any) -> list[str]:
        """Return the rules of ini file and command line that matched nothing in a complete run."""
        whole = not terminalreporter.stats.get("deselected") and not self.config.getoption("maxfail", 0)
        chosen = self.config.args_source is pytest.Config.ArgsSource.ARGS and any("::" in a for a in self.config.args)
        if not whole or chosen or self.policy.mode == "off":
            return []
        return [str(rule) for rule in self.policy.rules if str(rule) not in self.used]

    def pytest_report_header(self) -> list[str]:
        if self.telling.verbosity < 0:
            return []
        kinds = ", ".join(text.plural(kind, 2) for kind in text.KINDS if kind in self.policy.detect)
        more = ", ".join(sorted(k for k in self.policy.detect if k not in text.KINDS))
        if self.policy.mode == "off":
            return ["taskleak: watching only what asks for it by marker or fixture"]
        watched = ", ".join(filter(None, (kinds, more)))
        lines = [f"taskleak: {self.policy.mode}; watching {watched}; grace {self.policy.grace:g} s"]
        return lines + [f"taskleak: not seen here: {what}" for what in PATCHES.missing()]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        reports = [r for rs in terminalreporter.stats.values() for r in rs if hasattr(r, "taskleak")]
        found = [Finding.from_json(f) for r in reports for f in r.taskleak["findings"]]
        leaks = [f for f in found if f.severity != "note"]
        tests = {f.owner.nodeid or f.owner.name for f in leaks}
        write = terminalreporter.write_line
        if self.telling.verbosity >= 0:
            for rule in self.unused(terminalreporter):
                write(f"taskleak: rule {rule} matched nothing; it can go")
            for line in self.adopted if self.telling.verbosity > 0 or leaks else ():
                write(f"taskleak: {line}")
        if not leaks or self.telling.verbosity < -1:
            return
        count = sum(f.count for f in leaks)
        line = f"taskleak: {count} {text.plural('leak', count)} in {len(tests)} {text.plural('test', len(tests))}"
        if self.telling.verbosity < 0:
            write(line)
            return
        terminalreporter.write_sep("=", "taskleak summary")
        rows = text.summary(leaks)
        widths = [max(len(r[i]) for r in rows) for i in range(2)]
        for code, count, what, site, where in rows:
            write(f"{code:<{widths[0]}}  {count:<{widths[1]}}  {what}  born {site}  {where}")
        write(line)
