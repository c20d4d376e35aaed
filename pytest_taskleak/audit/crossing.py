"""How do the counts of one process cross to another, which makes the table of all?  As builtins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_taskleak.audit.births import position
from pytest_taskleak.audit.files import Where
from pytest_taskleak.audit.seen import Seen, Tally
from pytest_taskleak.audit.sites import MOST_TESTS

Counts = dict[str, Any]
SUMS = ("made", "named", "joined", "daemons", "overwritten")
PEAKS = ("at_once", "same_name")


def export(seen: Seen, where: Where) -> dict[str, Any]:
    """Return what was seen, one entry for each chain of the user's calls; tests are told by their number."""
    tallies = list(seen.tallies.values())
    tests = sorted({test for tally in tallies for test in tally.tests})
    numbers = {test: number for number, test in enumerate(tests)}
    return {"tests": tests, "counts": [counts_of(tally, where, numbers) for tally in tallies]}


def expanded(sent: Mapping[str, Any]) -> list[Counts]:
    """Return the entries of what `export` has made, with the tests by their names."""
    tests = sent.get("tests", ())
    return [{**counts, "tests": {tests[n] for n in counts["tests"]}} for counts in sent.get("counts", ())]


def counts_of(tally: Tally, where: Where, numbers: Mapping[str, int]) -> Counts:
    """Return the counts of one site."""
    frames = []
    for code, lasti in tally.frames:
        frames.append([where.relative(code.co_filename), *position(code, lasti), code.co_qualname])
    return {
        "kind": tally.kind,
        "call": tally.call,
        "frames": frames,
        "ended": dict(tally.ended),
        "tests": sorted(numbers[test] for test in tally.tests),
        "peaks": [[peak.at_once, peak.same_name] for peak in tally.peaks],
        **{name: getattr(tally, name) for name in SUMS},
    }


def merged(every: Iterable[Counts]) -> Counts:
    """Return the counts of a site that was seen in several processes, or by several ways."""
    whole: Counts = {"ended": {}, **dict.fromkeys((*SUMS, *PEAKS), 0)}
    tests: set[str] = set()
    for counts in every:
        for name in SUMS:
            whole[name] += counts[name]
        for name in PEAKS:
            whole[name] = max(whole[name], counts[name])
        for how, count in counts["ended"].items():
            whole["ended"][how] = whole["ended"].get(how, 0) + count
        tests |= counts["tests"]
    return {**whole, "tests": len(tests), "examples": sorted(tests)[:MOST_TESTS]}
