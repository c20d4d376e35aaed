"""The judge of the corpus is judged: what is missed, false, misplaced or spoilt must be told."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import (  # type: ignore[import-not-found]  # found above
    Case,
    Found,
    LabelError,
    Run,
    Score,
    compare,
    compare_plain,
    parse_case,
    read_reports,
    table,
)

TEXT = """\
# expect: TL101 test_a what=*forever born=here
# maybe: TL101 test_a what=child
# why: a sample
# runner: sync
start()  # born:here
"""
CLEAN = """\
# expect: clean
# outcome: test_b failed
# why: a sample
# runner: sync
"""
LEAK = Found("TL101", "test_a", "forever", "test_a", "fail", ("test_case.py", 5))
OUTCOMES = {"test_a": "failed", "test_b": "passed"}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    path = tmp_path / "task" / "case.py"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    return parse_case(path, TEXT)


def problems(case: Case, *found: Found, outcomes: dict[str, str] = OUTCOMES) -> str:
    return "\n".join(compare(case, Run(list(found), dict(outcomes))).problems)


def test_all_as_labelled(case: Case) -> None:
    assert problems(case, LEAK) == ""
    assert problems(case, LEAK, replace(LEAK, what="child")) == ""
    assert problems(case, LEAK, replace(LEAK, what="other", severity="note")) == ""


def test_missed(case: Case) -> None:
    assert "missed: TL101 of test_a" in problems(case)
    assert "missed: TL101 of test_a" in problems(case, replace(LEAK, severity="note", owner="fixture:a"))


@pytest.mark.parametrize("change", [{"owner": "test_b", "on": "test_b"}, {"code": "TL201"}])
def test_missed_and_false(case: Case, change: dict[str, str]) -> None:
    told = problems(case, replace(LEAK, **change))
    assert "missed: " in told
    assert "false: " in told


def test_twice_is_false(case: Case) -> None:
    assert "false: " in problems(case, LEAK, LEAK)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"what": "other"}, "told as"),
        ({"severity": "warn"}, "severity warn"),
        ({"on": "test_b"}, "reported on test_b"),
        ({"born": None}, "born None"),
        ({"born": ("test_case.py", 4)}, "born ('test_case.py', 4)"),
    ],
)
def test_wrong_detail(case: Case, change: dict[str, object], expected: str) -> None:
    assert expected in problems(case, replace(LEAK, **change))


def test_outcomes(case: Case) -> None:
    assert "test_a is passed" in problems(case, LEAK, outcomes=OUTCOMES | {"test_a": "passed"})
    assert "test_b is error" in problems(case, LEAK, outcomes=OUTCOMES | {"test_b": "error"})
    assert "test_a did not run" in problems(case, LEAK, outcomes={"test_b": "passed"})


def test_clean_case() -> None:
    case = parse_case(Path("task/case.py"), CLEAN)
    assert case.label == "clean"
    assert problems(case, outcomes={"test_a": "passed", "test_b": "failed"}) == ""
    assert "false: " in problems(case, LEAK, outcomes={"test_a": "failed", "test_b": "failed"})


@pytest.mark.parametrize(
    "line",
    [
        "# expect: TL101",
        "# expect: TL101 fixture:client",
        "# expect: TL101 test_a colour=red",
        "# expect: TL101 test_a severity=bad",
        "# owner: test_a",
        "# expect: TL101 test_a cause=bad-luck",
        "# expect: TL101 test_a finality=stuck|dead",
        "# expect: TL101 test_a\n# row: held_by",
        "# expect: TL101 test_a\n# waits:",
        "# expect: clean\n# kept: nobody",
        "# kept: nobody\n# expect: TL101 test_a",
        "# expect: TL101 test_a\n# edge: task 'a'",
        "# expect: TL101 test_a\n# cycle: a,",
        "# expect: TL101 test_a\n# cycle: a, b\n# no-cycle:",
        "# expect: TL101 test_a\n# plain: fails",
    ],
)
def test_bad_label(line: str) -> None:
    with pytest.raises(LabelError):
        parse_case(Path("task/case.py"), f"{line}\n# why: a sample\n# runner: sync\n")


def test_table_counts() -> None:
    scores = [
        Score("task/a", "task", "sync", expected=2, hits=1, extra=0, problems=("missed",)),
        Score("timer/b", "timer", "sync", expected=1, hits=1, extra=2, problems=("false",)),
    ]
    last = table(scores)[-1].split()
    assert last == ["all", "2", "3", "2", "2", "2", "66.7", "%", "50.0", "%", "-"]


# --- causes and graphs ---------------------------------------------------------------------------------------------

CAUSE = """\
# expect: TL101 test_a what=one cause=lock-order finality=stuck|deadlock
# waits: *Queue*|*Lock*
# row: held_by task 'b'*test_case.py:*
# kept: *TASKS*
# maybe: TL101 test_a what=two finality=outside
# kept: nobody
# edge: task 'a' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'b'
# no-edge: * -> * [joins]
# cycle: task 'b', task 'c', task 'a'
# plain: may fail
# why: a sample
# runner: sync
"""
SAID = {
    "finality": "deadlock",
    "ends": "never",
    "cause": "lock-order",
    "waits": [["held by", "task 'b', taken at test_case.py:7"]],
    "kept": ["test_case.TASKS[0]"],
}
ONE = Found("TL101", "test_a", "one", "test_a", "fail", None, "asyncio.Lock `dst`", SAID)
TWO = Found("TL101", "test_a", "two", "test_a", "fail", None, "", {**SAID, "finality": "outside", "kept": []})


def node(key: str, label: str) -> dict[str, str]:
    return {"key": key, "label": label}


def edge(source: str, target: str, label: str) -> dict[str, str]:
    return {"source": source, "target": target, "label": label}


GRAPH: dict[str, Any] = {
    "nodes": [
        node("t1", "task 'a'"),
        node("p1", "asyncio.Lock `dst`"),
        node("t2", "task 'b'"),
        node("t3", "task 'c'"),
    ],
    "edges": [edge("t1", "p1", "waits for"), edge("p1", "t2", "held by")],
    "cycles": [["t1", "t2", "t3"]],
}


def explained(*found: Found, graphs: list[dict[str, Any]] | None = None, text: str = CAUSE) -> Score:
    case = parse_case(Path("cause/case.py"), text)
    run = Run([*found], {"test_a": "failed"}, graphs=[GRAPH] if graphs is None else graphs)
    return compare(case, run)


def test_cause_as_labelled() -> None:
    score = explained(ONE, TWO)
    assert score.problems == ()
    assert (score.causes, score.explained) == (1, 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"waits_for": "a Future"}, "waits for 'a Future', not *Queue*|*Lock*"),
        ({"diagnosis": None}, "no diagnosis"),
        ({"diagnosis": {**SAID, "finality": "outside"}}, "finality outside (never), not stuck|deadlock"),
        ({"diagnosis": {**SAID, "cause": ""}}, "cause none, not lock-order"),
        ({"diagnosis": {**SAID, "waits": [["held by", "nobody"]]}}, "no row held_by"),
        ({"diagnosis": {**SAID, "kept": ["conftest.POOL"]}}, "kept by ['conftest.POOL'], not by *TASKS*"),
    ],
)
def test_wrong_cause(change: dict[str, Any], expected: str) -> None:
    score = explained(replace(ONE, **change))
    assert expected in "\n".join(score.problems)
    assert (score.hits, score.causes, score.explained) == (1, 1, 0)


def test_cause_of_what_may_be_told() -> None:
    assert "finality deadlock" in "\n".join(explained(ONE, replace(TWO, diagnosis=SAID)).problems)
    kept = replace(TWO, diagnosis={**SAID, "finality": "outside", "kept": ["conftest.POOL"]})
    assert "not by nobody" in "\n".join(explained(ONE, kept).problems)
    kept = replace(TWO, diagnosis={**SAID, "finality": "outside", "kept": ["nobody: only asyncio knows it"]})
    assert explained(ONE, kept).problems == ()


def test_graph_is_compared() -> None:
    told = "\n".join(explained(ONE, graphs=[]).problems)
    assert "no edge task 'a' -> asyncio.Lock* [waits for]" in told
    assert "no cycle task 'b', task 'c', task 'a' in []" in told
    back = {**GRAPH, "cycles": [["t3", "t2", "t1"]]}
    assert "no cycle" in "\n".join(explained(ONE, graphs=[back]).problems)
    joins = {**GRAPH, "edges": [*GRAPH["edges"], edge("t1", "t2", "joins")]}
    assert "edge * -> * [joins] in" in "\n".join(explained(ONE, graphs=[joins]).problems)
    acyclic = CAUSE.replace("# cycle: task 'b', task 'c', task 'a'", "# no-cycle:")
    assert "where there is none" in "\n".join(explained(ONE, text=acyclic).problems)


def test_no_diagnosis_is_needed_where_none_is_labelled(case: Case) -> None:
    score = compare(case, Run([LEAK], dict(OUTCOMES)))
    assert (score.problems, score.causes) == ((), 0)


def test_reports_are_read() -> None:
    finding = {
        "code": "TL101",
        "owner": {"kind": "test", "nodeid": "test_case.py::test_a"},
        "what": "one",
        "severity": "fail",
        "born": [],
        "waits_for": "asyncio.Lock `dst`",
        "diagnosis": SAID,
    }
    report = {
        "nodeid": "test_case.py::test_a",
        "when": "call",
        "outcome": "failed",
        "xfail": False,
        "taskleak": {"findings": [finding], "graphs": [GRAPH]},
    }
    run = Run()
    read_reports([report], run)
    assert run.found == [ONE]
    assert run.graphs == [GRAPH]


def test_plain_may_fail(case: Case) -> None:
    failed = Run(outcomes={"test_a": "failed"}, trouble=["ended without a result"])
    hung = Run(trouble=["did not end within 60 s"])
    assert compare_plain(case, failed) != []
    lenient = parse_case(Path("cause/case.py"), CAUSE)
    assert compare_plain(lenient, failed) == []
    assert compare_plain(lenient, hung) == hung.trouble
