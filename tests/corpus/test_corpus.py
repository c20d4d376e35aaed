"""Every labelled case, each in a process of its own: what is found must be what its label says, nothing else."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from diagnoses import CAUSES  # type: ignore[import-not-found]  # found above
from harness import KINDS, Case, absent, compare, read_cases, run_case  # type: ignore[import-not-found]  # found above

CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    if lack := absent(case):
        pytest.skip(f"needs {lack}")
    run = run_case(case, tmp_path)
    score = compare(case, run)
    record_property("corpus", score.as_dict())
    if score.problems:
        pytest.fail("\n".join([case.why, *score.problems, "", run.output]), pytrace=False)


def test_corpus_is_large_and_mixed() -> None:
    labels = Counter((case.kind, case.label) for case in CASES)
    assert len(CASES) >= 600
    for kind in KINDS:
        assert labels[kind, "leak"] >= 4
        assert labels[kind, "clean"] >= 4


def test_causes_are_many_and_mixed() -> None:
    cases = [case for case in CASES if case.kind == "cause"]
    told = [expected.told for case in cases for expected in case.expects]
    named = Counter(of.cause for of in told if of.cause)
    assert sum(case.label == "leak" for case in cases) >= 44
    assert sum(case.label == "clean" for case in cases) >= 8
    assert CAUSES - named.keys() == {"loop-waits-for-itself"}  # nothing returns from that; a watchdog sees it
    common = ("abandoned", "no-stop", "losers-left", "no-sentinel", "lock-order", "event-never-set")
    assert all(named[cause] >= 3 for cause in common)
    words = Counter(word for of in told for word in of.finality)
    assert words["stuck"] >= 20
    assert words.keys() == {
        "stuck",
        "deadlock",
        "closed",
        "swallows",
        "spins",
        "outside",
        "wakeable",
        "ready",
        "unknown",
    }
    assert sum(bool(case.drawn.edges) for case in cases) >= 20
    assert sum(bool(case.drawn.cycles) for case in cases) >= 8


def test_helpers_exist() -> None:
    missing = [source.name for case in CASES for source, _ in case.support if not source.exists()]
    assert missing == []
