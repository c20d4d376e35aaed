"""Do some hundred random programs get no false proof, and would they show one?

Each run is a process of its own: programs leave coroutines that were never begun, and what is watched here is
the proof alone.  The soak (`tox -e proof`) runs many more.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import anchors  # noqa: E402
import holders  # noqa: E402
import programs  # noqa: E402


def command(script: str, *arguments: str) -> tuple[int, str]:
    """Run a command of this folder; return its exit status and what it printed."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


def number(out: str, name: str) -> float:
    """Return a number from the line of totals."""
    found = re.search(rf"{name} ([0-9.]+)", out)
    assert found, out
    return float(found[1])


RUNS = [
    pytest.param(("--programs", "600"), id="asyncio"),
    pytest.param(("--programs", "150", "--loop", "uvloop"), id="uvloop"),
    pytest.param(("--programs", "150", "--eager"), id="eager"),
    pytest.param(("--programs", "100", "--debug"), id="debug"),
]


@pytest.mark.parametrize("arguments", RUNS)
def test_no_proof_is_false_and_most_of_the_stuck_are_proven(arguments: tuple[str, ...]) -> None:
    if "uvloop" in arguments:
        pytest.importorskip("uvloop")
    if "--eager" in arguments and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with 3.12")
    code, out = command("fuzz.py", "--seed", "1", *arguments)
    assert code == 0, out
    assert number(out, "false proofs") == number(out, "wrongly sealed") == number(out, "unknown") == 0
    assert number(out, "recall") >= 80
    assert number(out, "truly stuck") > 100


def test_a_prover_that_calls_everything_stuck_is_caught() -> None:
    code, out = command("fuzz.py", "--programs", "20", "--prover", "all", "--no-shrink")
    assert code == 1
    assert number(out, "false proofs") > 0


def test_the_oracle_and_the_run_agree() -> None:
    """Whoever it calls stuck never runs, and of those it calls live most do, in the few ways tried."""
    code, out = command("fuzz.py", "--programs", "150", "--prover", "none", "--run-on", "1")
    assert code == 0, out
    assert number(out, "holes in the oracle") == 0
    assert number(out, "live that ran") > 85


def test_every_dangerous_mutation_of_the_proof_is_noticed() -> None:
    code, out = command("mutations.py", "--dangerous", "--programs", "1500")
    assert code == 0, out


def test_a_seed_is_a_program() -> None:
    first = [programs.generate(f"1:{n}").told() for n in range(50)]
    assert first == [programs.generate(f"1:{n}").told() for n in range(50)]
    assert len(set(first)) == 50


def test_every_kind_that_is_drawn_can_be_made() -> None:
    assert set(programs.HOLDERS) == set(holders.HOLDERS)
    assert set(programs.ANCHORS) == set(anchors.ANCHORS)
    assert len(programs.HOLDERS) >= 40
    assert len(programs.ANCHORS) >= 15
