"""The results of all suites as a table for the terminal, as Markdown and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outcomes import Group, Run, grouped, site
from recipes import Suite

HEAD = (
    *("suite", "tests", "P/F/E", "recipe", "plain s", "ratio"),
    *("leaking", "findings", "owners", "allowed", "changed", "flaky", "trouble"),
)
RIGHT = frozenset({"tests", "plain s", "ratio", "leaking", "allowed", "changed", "flaky"})


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came out for one suite; `guarded` is the run under the plugin."""

    suite: Suite
    plain: Run | None = None
    guarded: Run | None = None
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    flaky: Sequence[str] = ()
    problem: str = ""

    @property
    def groups(self) -> list[Group]:
        """The distinct findings."""
        return grouped(self.guarded) if self.guarded else []

    @property
    def ratio(self) -> float | None:
        """Time with the plugin over time without, if both runs came to their end."""
        if self.plain and self.guarded and self.plain.complete and self.guarded.complete:
            return round(self.guarded.seconds / max(self.plain.seconds, 0.001), 2)
        return None

    @property
    def trouble(self) -> str:
        """What went wrong apart from the tests, or nothing."""
        runs = (("plain", self.plain), ("taskleak", self.guarded))
        told = [f"{name} {run.troubled}" for name, run in runs if run and run.troubled]
        return "; ".join([*([self.problem.splitlines()[0]] if self.problem else []), *told])

    @property
    def leaking(self) -> int:
        """How many tests have a finding that fails them."""
        findings = self.guarded.findings() if self.guarded else ()
        return len({nodeid for nodeid, finding in findings if finding.get("severity") == "fail"})


def row(result: Result) -> dict[str, str]:
    """One line of the table."""
    suite, plain, guarded, groups = result.suite, result.plain, result.guarded, result.groups
    counts = plain.counts() if plain else Counter[str]()
    passed = counts["passed"] + counts["xpassed"]
    return {
        "suite": suite.name,
        "tests": str(counts.total()) if plain else "",
        "P/F/E": f"{passed}/{counts['failed']}/{counts['errors']}" if plain else "",
        "recipe": f"{suite.passed}/{suite.failed}/{suite.errors}",
        "plain s": f"{plain.seconds:.1f}" if plain else "",
        "ratio": f"{result.ratio:.2f}" if result.ratio else "",
        "leaking": str(result.leaking) if guarded else "",
        "findings": tally(groups, lambda finding: finding.get("code")),
        "owners": tally(groups, lambda finding: (finding.get("owner") or {}).get("kind")),
        "allowed": str(guarded.allowed()) if guarded else "",
        "changed": str(len(result.changed)) if guarded else "",
        "flaky": str(len(result.flaky)) if guarded else "",
        "trouble": result.trouble,
    }


def tally(groups: Iterable[Group], key: Callable[[Mapping[str, Any]], object]) -> str:
    """Findings counted by a key: `TL101:3 TL201:1`."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts[str(key(group.finding))] += group.count
    return " ".join(f"{name}:{count}" for name, count in sorted(counts.items()))


def text(results: Sequence[Result]) -> str:
    """The table for the terminal, without columns that are empty."""
    rows = [row(result) for result in results]
    heads = [head for head in HEAD if any(line[head] for line in rows)]
    widths = {head: max(len(head), *(len(line[head]) for line in rows)) for head in heads}

    def line(cells: Mapping[str, str]) -> str:
        return "  ".join(
            cells[head].rjust(widths[head]) if head in RIGHT else cells[head].ljust(widths[head])
            for head in heads
        ).rstrip()

    return "\n".join([line({head: head for head in heads}), *map(line, rows)])


def markdown(results: Sequence[Result]) -> str:
    """The table and, for each suite, all there is to judge."""
    rows = [row(result) for result in results]
    lines = ["# Downstream suites", "", table_line(HEAD), table_line("---" for _ in HEAD)]
    lines += [table_line(cells[head] for head in HEAD) for cells in rows]
    for result in results:
        lines += chapter(result)
    return "\n".join(lines) + "\n"


def table_line(cells: Iterable[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def chapter(result: Result) -> list[str]:
    """The findings and the changed tests of one suite, if there are any."""
    lines: list[str] = []
    if result.problem:
        lines += ["", "```", result.problem, "```"]
    if result.changed:
        lines += ["", "Changed:", ""]
        lines += [f"- `{name}`: {was} -> {now}" for name, (was, now) in result.changed.items()]
    if result.flaky:
        lines += ["", "Flaky: " + ", ".join(f"`{name}`" for name in result.flaky)]
    for group in result.groups:
        lines += entry(group)
    return ["", f"## {result.suite.name}", *lines] if lines else []


def entry(group: Group) -> list[str]:
    """One distinct finding for a person to judge."""
    finding = group.finding
    owner = finding.get("owner") or {}
    kind, name = owner.get("kind"), owner.get("name")
    title = f"{finding.get('code')} {finding.get('what')} x {group.count} in {len(group.tests)} tests"
    lines = ["", f"### {title}", ""]
    lines += [f"- owner: {kind} {name} ({owner.get('scope')}), {finding.get('severity')}"]
    lines += [f"- born: `{place}`" for place in places(finding.get("born")) or ["unknown"]]
    lines += [f"- waiting: `{place}`" for place in places(finding.get("waiting"))]
    lines += [f"- {key}: {finding[key]}" for key in ("waits_for", "library", "headline") if finding.get(key)]
    lines += [f"- test: `{nodeid}`" for nodeid in group.tests[:3]]
    return lines


def places(frames: Iterable[Mapping[str, Any]] | None) -> list[str]:
    """Frames as `path:line qualname`."""
    return [site({"born": [frame]}) for frame in frames or ()]


def document(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Everything as plain data."""
    return [
        {
            "suite": result.suite.name,
            "source": result.suite.source,
            "plain": summary(result.plain),
            "taskleak": summary(result.guarded),
            "ratio": result.ratio,
            "leaking": result.leaking,
            "trouble": result.trouble,
            "problem": result.problem,
            "changed": {name: list(pair) for name, pair in result.changed.items()},
            "flaky": list(result.flaky),
            "findings": [
                {"count": group.count, "tests": group.tests, "finding": group.finding}
                for group in result.groups
            ],
        }
        for result in results
    ]


def summary(run: Run | None) -> dict[str, Any] | None:
    """One run in numbers."""
    if run is None:
        return None
    return {"seconds": run.seconds, "exitcode": run.exitcode, **run.counts()}
