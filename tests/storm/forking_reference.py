"""Do a sweep that forks and one that begins anew agree on the reference service, run by run?

Three mistakes and few items in the suite, on the axes that show them; in `tox -e storm` every mistake on every
axis, with all items, and with few of them at seven more seeds.  Run by `test_forking.py`, in a process that has no other threads.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pytest_taskleak.storm import axes
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.forking import ForkedSweep
from pytest_taskleak.storm.plan import AXES
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep, installed

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reference import BUGS, ITEMS, Service, load

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")

SEEDS = range(int(os.environ.get("STORM_SEEDS", "1")))
WHOLE = len(SEEDS) > 1
FEW = 4
NONE = ""
ALONE = tuple(axis for axis in AXES if axis != "pair")
"""Pairs are as many runs as those of all other axes."""
TRIED = (NONE, *BUGS) if WHOLE else (NONE, "coalescing-deadlock", "batch-lost-on-fault", "stop-not-shielded")


def outcomes(kind: type[Sweep], bug: str, axis: str, seed: int, items: int) -> list[Outcome]:
    """Return what came of every run of an axis."""

    async def some(service: Service, env: Env) -> None:
        await load(service, env, items)

    sweep = kind(maker(lambda env: Service(env, bug)), some, "Service", (axis,), (seed,))
    with installed(sweep.primitives):
        base = sweep.baseline(seed)
        own = base.outcome
        plans = axes.plans(axis, base.steps, own.points, own.depended, seed, base.whole)
        found = list(sweep.outcomes(plans, 0.0))
    assert [outcome.plan for outcome in found] == list(plans)
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bug", TRIED)
def test_both_ways_agree_on_the_reference_service(bug: str, seed: int) -> None:
    shown = BUGS[bug].axis if bug else NONE
    for axis in AXES if WHOLE else [shown] if bug else ALONE:
        items = ITEMS if WHOLE and not seed else FEW
        again, forked = (outcomes(kind, bug, axis, seed, items) for kind in (Sweep, ForkedSweep))
        apart = [(one, other) for one, other in zip(again, forked, strict=True) if one != other]
        assert apart[:1] == [], f"{axis}: {len(apart)} of {len(again)} runs differ"
        failing = sum(bool(outcome.violations) for outcome in again)
        assert failing if axis == shown else bug or not failing, axis
