"""Does no timeout fire early in some hundred random scenarios, and would the fuzz show one that does?

Each run is a process of its own, as `tox -e clock` runs many more.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import scenarios

HERE = Path(__file__).resolve().parent
LINE = re.compile(r"^ *all +(.*)$", re.MULTILINE)


def fuzz(*arguments: str) -> tuple[int, str]:
    """Run the fuzz; return its exit status and what it printed."""
    done = subprocess.run(
        [sys.executable, str(HERE / "clock_fuzz.py"), "--burners", "1", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


def counts(out: str) -> dict[str, int]:
    """Return what the last line of the table says."""
    found = LINE.search(out)
    head = re.search(r"^ *way +(.*)$", out, re.MULTILINE)
    assert found, out
    assert head, out
    values = (int(value.replace(",", "")) for value in found[1].split())
    return dict(zip(head[1].split(), values, strict=True))


@pytest.mark.parametrize("way", [way for way in scenarios.WAYS if way != "freeze"])
def test_no_timeout_fires_early(way: str) -> None:
    if way == "uvloop":
        pytest.importorskip("uvloop")
    code, out = fuzz("--programs", "40", "--seed", "7000", "--ways", way)
    assert code == 0, out
    found = counts(out)
    assert found["scenarios"] == 40
    assert found["operations"] > 100
    assert not any(found[sort] for sort in scenarios.FAILURES)


@pytest.mark.parametrize("source", ["threads", "pools"])
def test_a_clock_that_does_not_see_work_is_caught(source: str) -> None:
    blind = ("threads", "pools") if source == "threads" else ("pools", "threads")
    code, out = fuzz("--programs", "20", "--ways", "hooks", "--blind", *blind)
    assert code == 1
    found = counts(out)
    assert found["early"] + found["moved"] > 0, out
    assert "--seed" not in out
    assert re.search(r"^early: .*\nseed \d+, hooks:\n  task 0: Action", out, re.MULTILINE), out


def test_a_seed_is_a_scenario() -> None:
    first = [scenarios.generate(seed, "hooks") for seed in range(50)]
    assert first == [scenarios.generate(seed, "hooks") for seed in range(50)]
    assert len({str(scenario.tasks) for scenario in first}) == 50


@pytest.mark.parametrize("way", list(scenarios.WAYS))
def test_every_operation_is_drawn(way: str) -> None:
    drawn = {
        action.kind
        for seed in range(2000)
        for actions in scenarios.generate(seed, way).tasks
        for action in actions
    }
    assert drawn == {kind for kinds, _ in scenarios.sorts(way).values() for kind in kinds}
