"""What the tests of one run came to, and in what two runs differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEAK_ERRORS = frozenset({"TaskLeak", "LeakError", "LeakGroup"})
WORST_FIRST = ("failed", "xfailed", "skipped", "xpassed", "passed")

Report = Mapping[str, Any]
Outcome = tuple[tuple[str, str], ...]  # (phase, result) for each phase, setup first


@dataclass(frozen=True)
class Run:
    """All reports of one pytest process and how it ended."""

    reports: tuple[Report, ...]
    seconds: float
    exitcode: int
    hung: bool
    complete: bool  # whether the session came to its end

    @classmethod
    def read(cls, path: Path, *, seconds: float, exitcode: int, hung: bool) -> Run:
        """Read the file of the collector; a run that broke before pytest began has none."""
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        ends = [line for line in lines if "exitstatus" in line]
        return cls(
            reports=tuple(line for line in lines if "nodeid" in line),
            seconds=ends[-1]["seconds"] if ends else seconds,
            exitcode=exitcode,
            hung=hung,
            complete=bool(ends),
        )

    @property
    def troubled(self) -> str:
        """Why this run says little, or nothing at all."""
        if self.hung:
            return "hung at exit" if self.complete else "hung"
        if not self.complete:
            return f"ended early (exit {self.exitcode})"
        return "" if self.exitcode in (0, 1) else f"exit {self.exitcode}"

    def outcomes(self) -> dict[str, Outcome]:
        """The outcome of every test, with failures that are only leaks left out."""
        phases: dict[str, dict[str, list[str]]] = {}
        for report in self.reports:
            results = phases.setdefault(report["nodeid"], {}).setdefault(report["when"], [])
            results.append(result(report))
        return {
            nodeid: tuple((when, min(results, key=WORST_FIRST.index)) for when, results in found)
            for nodeid, found in ((nodeid, by_phase.items()) for nodeid, by_phase in phases.items())
        }

    def counts(self) -> Counter[str]:
        """How many tests passed, failed, had errors or were skipped, as pytest counts."""
        return Counter(word(outcome) for outcome in self.outcomes().values())

    def findings(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every finding with the test whose report carries it."""
        for report in self.reports:
            for finding in (report.get("taskleak") or {}).get("findings", ()):
                yield report["nodeid"], finding

    def allowed(self) -> int:
        """How many findings a rule allowed."""
        return sum(len((report.get("taskleak") or {}).get("allowed", ())) for report in self.reports)


@dataclass
class Group:
    """One distinct finding and where it was seen."""

    finding: Mapping[str, Any]
    count: int = 0
    tests: list[str] = field(default_factory=list)


def result(report: Report) -> str:
    """The outcome of one phase but for leaks, with what was expected to fail told apart."""
    outcome = "passed" if only_leaked(report) else str(report["outcome"])
    if report.get("xfail") and (report["when"] == "call" or outcome != "passed"):
        return "xpassed" if outcome == "passed" else "xfailed"
    return outcome


def only_leaked(report: Report) -> bool:
    """Whether a phase failed for no other reason than leaks."""
    if report["outcome"] != "failed" and not report.get("xfail"):
        return False
    findings = (report.get("taskleak") or {}).get("findings", ())
    if not any(finding.get("severity") == "fail" for finding in findings):
        return False
    errors = set(report.get("errors", ()))
    return errors <= LEAK_ERRORS


def word(outcome: Outcome) -> str:
    """One word for a test: a failure outside its call is an error."""
    results = dict(outcome)
    if results.get("call") == "failed":
        return "failed"
    if "failed" in results.values():
        return "errors"
    return results.get("call") or results.get("setup") or "passed"


def differences(plain: Run, guarded: Run) -> dict[str, tuple[str, str]]:
    """The tests with another outcome under the plugin: what it was, what it is."""
    before, after = plain.outcomes(), guarded.outcomes()
    return {
        nodeid: (describe(before.get(nodeid)), describe(after.get(nodeid)))
        for nodeid in before | after
        if before.get(nodeid) != after.get(nodeid)
    }


def describe(outcome: Outcome | None) -> str:
    """A whole outcome in a few words: `passed`, `failed in call`, `absent`."""
    if outcome is None:
        return "absent"
    unusual = [f"{result} in {when}" for when, result in outcome if result != "passed"]
    if unusual:
        return ", ".join(unusual)
    return "passed" if "call" in dict(outcome) else "without a call"


def steady(plain: Sequence[Run], guarded: Sequence[Run]) -> dict[str, tuple[str, str]]:
    """Of the first pair's differences those with no outcome that both sides ever had."""
    found = differences(plain[0], guarded[0])
    return {nodeid: found[nodeid] for nodeid in found if not seen(plain, nodeid) & seen(guarded, nodeid)}


def seen(runs: Sequence[Run], nodeid: str) -> set[Outcome | None]:
    """All outcomes of one test over several runs."""
    return {run.outcomes().get(nodeid) for run in runs}


def grouped(run: Run) -> list[Group]:
    """The distinct findings, the most frequent first."""
    groups: dict[tuple[object, ...], Group] = {}
    for nodeid, finding in run.findings():
        group = groups.setdefault(identity(finding), Group(finding))
        group.count += 1
        if nodeid not in group.tests:
            group.tests.append(nodeid)
    return sorted(groups.values(), key=lambda group: -len(group.tests))


def identity(finding: Mapping[str, Any]) -> tuple[object, ...]:
    """What makes two findings the same one to a person who judges them."""
    owner = finding.get("owner") or {}
    name = None if owner.get("kind") == "test" else owner.get("name")
    print_ = finding.get("fingerprint") or (finding.get("what"), site(finding))
    return finding.get("code"), print_, owner.get("kind"), name, finding.get("severity")


def site(finding: Mapping[str, Any]) -> str:
    """Where the thing was made: `path:line qualname`."""
    born = finding.get("born") or ()
    return "{path}:{line} {qualname}".format_map(born[0]) if born else "unknown"
