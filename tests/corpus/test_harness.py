"""The judge of the corpus is judged: what is missed, false, misplaced or spoilt must be told."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import (  # type: ignore[import-not-found]  # found above
    Case,
    Found,
    LabelError,
    Run,
    Score,
    compare,
    parse_case,
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
    assert last == ["all", "2", "3", "2", "2", "2", "66.7", "%", "50.0", "%"]
