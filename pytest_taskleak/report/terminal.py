"""What stands at the top and at the end of a run; on xdist's controller for all workers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest

from pytest_taskleak.diagnosis import Reaped
from pytest_taskleak.model import Finding
from pytest_taskleak.report import text

MOST_NOTES = 5
Facts = dict[str, list[str]]
"""What a process can say when it ends: the rules it used, the helpers it adopted."""


class Summary:
    """The header line, and the table at the end.

    Parameters:
        config: pytest's configuration.
        header: the line that says what is watched.
        rules: the session's rules, as text with their origin.
        facts: returns the facts of this process, or `None` where it watches nothing.
        verbosity: how much is told.
    """

    def __init__(
        self,
        config: pytest.Config,
        *,
        header: Callable[[], Sequence[str]],
        rules: Sequence[str],
        facts: Callable[[], Facts | None],
        verbosity: int,
    ) -> None:
        self.config = config
        self.header = header
        self.rules = list(rules)
        self.facts = facts
        self.verbosity = verbosity
        self.used: set[str] = set()
        self.adopted: list[str] = []
        self.complete = False
        self.notes: list[str] = []
        self.unowned: list[str] = []
        self.blocking: list[str] = []

    def pytest_report_header(self) -> list[str]:
        return list(self.header()) if self.verbosity >= 0 else []

    @pytest.hookimpl(wrapper=True, trylast=True)  # after all others, before a worker of xdist reports
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, None, None]:
        yield
        self.complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        facts = self.facts()
        if facts is not None:
            self.take(facts)
            output: Any = getattr(self.config, "workeroutput", None)
            if output is not None:
                output["taskleak"] = facts

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.take(getattr(node, "workeroutput", {}).get("taskleak", {}))

    def take(self, facts: Facts) -> None:
        """Add the facts of one process."""
        self.used |= set(facts.get("used", ()))
        self.rules += [rule for rule in facts.get("ruled", ()) if rule not in self.rules]
        self.adopted += [line for line in facts.get("adopted", ()) if line not in self.adopted]
        self.notes += facts.get("notes", ())
        self.unowned += facts.get("unowned", ())
        self.blocking += facts.get("blocking", ())

    def unused(self, terminalreporter: Any) -> list[str]:
        """Return the rules that matched nothing in a complete run."""
        args = self.config.args_source is pytest.Config.ArgsSource.ARGS
        part = terminalreporter.stats.get("deselected") or self.config.getoption("maxfail", 0)
        part = part or not self.complete or self.config.getoption("collectonly", default=False)
        if part or (args and any("::" in arg for arg in self.config.args)):
            return []
        return [rule for rule in self.rules if rule not in self.used]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        reports = [r for rs in terminalreporter.stats.values() for r in rs if hasattr(r, "taskleak")]
        found = [Finding.from_json(f) for r in reports for f in r.taskleak["findings"]]
        leaks = [f for f in found if f.severity != "note"]
        write = terminalreporter.write_line
        if self.verbosity >= 0:
            for rule in self.unused(terminalreporter):
                write(f"taskleak: rule {rule} matched nothing; it can go")
            for line in self.adopted if self.verbosity > 0 or leaks else ():
                write(f"taskleak: {line}")
        if leaks and self.verbosity >= 0:
            self.table(terminalreporter, leaks)
        if leaks and self.verbosity >= -1:
            write(total(leaks))
        reaped = sum((Reaped(**r.taskleak["reaped"]) for r in reports), Reaped())
        if reaped and self.verbosity >= 0:
            write(f"taskleak: tasks that were left and are removed now: {reaped}")
        for line in self.noted(reports) if self.verbosity >= 0 else ():
            write(f"taskleak: note: {line}")
        for line in dict.fromkeys(self.unowned):
            write(f"taskleak: lost, made by nobody that can be named: {line}")
        for line in dict.fromkeys(self.blocking):
            write(f"taskleak: the process cannot end before this does: {line}")

    def noted(self, reports: Sequence[Any]) -> list[str]:
        """Return what is no failure: files that modules left open, notes on tests that passed."""
        notes = list(dict.fromkeys(self.notes))
        lines = notes if self.verbosity > 0 else notes[:MOST_NOTES]
        if len(notes) > len(lines):
            lines.append(f"... and {len(notes) - len(lines)} more; -v shows all")
        passed = [Finding.from_json(f) for r in reports if r.passed for f in r.taskleak["findings"]]
        counts: dict[str, int] = {}
        for finding in passed:
            if finding.severity == "note":
                counts[text.noun(finding)] = counts.get(text.noun(finding), 0) + finding.count
        if counts:
            told = ", ".join(f"{n} {text.plural(noun, n)}" for noun, n in sorted(counts.items()))
            lines.append(f"{told} left by tests that passed; -rP shows them")
        return lines

    def table(self, terminalreporter: Any, leaks: Sequence[Finding]) -> None:
        """Write one line for each place of birth."""
        terminalreporter.write_sep("=", "taskleak summary")
        rows = text.summary(leaks)
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        for code, count, what, site, where in rows:
            line = f"{code:<{widths[0]}}  {count:<{widths[1]}}  {what}  born {site}  {where}"
            terminalreporter.write_line(line)


def total(leaks: Sequence[Finding]) -> str:
    """Return the line that counts leaks and tests."""
    count = sum(f.count for f in leaks)
    tests = len({f.owner.nodeid or f.owner.name for f in leaks})
    return f"taskleak: {count} {text.plural('leak', count)} in {tests} {text.plural('test', tests)}"
