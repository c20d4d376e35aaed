"""Does the storm find every mistake of the reference service, at every seed, and nothing where there is none?

Three seeds in the suite, eight in `tox -e storm`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.plan import AXES
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reference import BUGS, Service, load

SEEDS = range(int(os.environ.get("STORM_SEEDS", "3")))
FEW = SEEDS if len(SEEDS) > 3 else SEEDS[:1]
SINGLE = tuple(axis for axis in AXES if axis != "pair")
WHOLE = ("stop", "cancel", "stop2")
"""What is done to the service as a whole."""
FOUND = {
    "swallowed-cancel": ("stop", "B"),
    "swallowed-cancel-in-cleanup": ("stop", "B"),
    "buffer-lost-on-cancel": ("stop", "L"),
    "buffer-lost-in-gap": ("stop", "L"),
    "closed-before-users": ("stop", "C"),
    "orphan-timer": ("stop", "L"),
    "stop-not-idempotent": ("baseline", "I"),
    "lock-held": ("stop", "BK"),
    "permit-leaked": ("stop", "B"),
    "lost-wakeup": ("stop", "B"),
    "get-races-stop": ("stop", "L"),
    "spawned-by-cancel": ("stop", "T"),
    "start-leaks": ("cancel", "R"),
    "second-cancel": ("stop", "L"),
    "coalescing-deadlock": ("kill", "Q"),
    "taken-then-cancelled": ("stop", "L"),
    "shield-forgotten": ("stop", "L"),
    "stop-not-shielded": ("pair", "R"),
    "unanswered": ("stop", "Q"),
    "batch-lost-on-fault": ("fault", "L"),
}
"""Mistake -> the first axis that shows it, and what it looks like there."""


def storm(bug: str, axes: tuple[str, ...], *seeds: int) -> Sweep:
    return Sweep(maker(lambda env: Service(env, bug)), load, "Service", axes, seeds)


def until_found(bug: str, seed: int) -> StormReport:
    """Return the report of a sweep that ends with the first run that fails."""
    sweep = storm(bug, AXES, seed)

    def look(*_: object) -> None:
        if sweep.causes:
            raise KeyboardInterrupt

    sweep.progress = look
    return sweep.sweep()


def verdict(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(one.oracle, one.where, one.text) for one in outcome.violations]


def failing(report: StormReport) -> dict[str, int]:
    return {axis.axis: axis.failing for axis in report.axes}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_reported_where_nothing_is_wrong(seed: int) -> None:
    axes = AXES if seed in FEW else SINGLE
    report = storm("", axes, seed).sweep()
    assert report.causes == []
    assert report.complete
    assert report.deterministic
    assert [axis.axis for axis in report.axes] == list(axes)
    assert all(axis.ran == axis.planned > 100 for axis in report.axes)


def test_the_table_is_whole() -> None:
    assert FOUND.keys() == BUGS.keys()
    assert len(BUGS) >= 17


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bug", BUGS)
def test_every_mistake_is_found_and_replayed(bug: str, seed: int) -> None:
    report = until_found(bug, seed)
    axis, letters = FOUND[bug]
    assert {cause.axis for cause in report.causes} == {axis}
    assert set(letters) <= {cause.oracle for cause in report.causes}
    (token,) = {cause.token for cause in report.causes}
    again = storm(bug, ())
    outcomes = [again.replay(token) for _ in range(2)]
    assert {(one.oracle, one.where) for one in outcomes[0].violations} == {
        (cause.oracle, cause.where) for cause in report.causes
    }
    assert len({tuple(verdict(outcome)) for outcome in outcomes}) == 1


@pytest.mark.parametrize(("bug", "axis"), [("lock-held", "stop"), ("lost-wakeup", "kill")])
def test_a_hundred_replays_have_one_verdict(bug: str, axis: str) -> None:
    report = storm(bug, (axis,), 5).sweep()
    token = report.causes[0].token
    assert token.startswith(f"{axis},seed=5")
    verdicts = {tuple(verdict(storm(bug, ()).replay(token))) for _ in range(100)}
    assert len(verdicts) == 1
    assert all(verdicts)


@pytest.mark.parametrize("seed", FEW)
def test_the_lost_wakeup_takes_a_cancel_between_waking_and_running(seed: int) -> None:
    sweep = storm("lost-wakeup", ("kill",), seed)
    report = sweep.sweep()
    assert 0 < failing(report)["kill"] < report.axes[0].ran / 4
    assert all(",before@" in cause.token for cause in report.causes)


@pytest.mark.parametrize("seed", FEW)
def test_a_stop_of_the_whole_does_not_show_who_waits_for_whom(seed: int) -> None:
    report = storm("coalescing-deadlock", (*WHOLE, "kill"), seed).sweep()
    found = failing(report)
    assert [found[axis] for axis in WHOLE] == [0, 0, 0]
    assert 0 < found["kill"] <= 4
    assert {cause.oracle for cause in report.causes} == {"Q"}


@pytest.mark.parametrize("seed", FEW)
@pytest.mark.parametrize("bug", ["swallowed-cancel", "swallowed-cancel-in-cleanup"])
def test_who_swallows_its_own_cancellation_is_named(bug: str, seed: int) -> None:
    report = storm(bug, ("kill",), seed).sweep()
    assert "X" in {cause.oracle for cause in report.causes}


@pytest.mark.parametrize(
    ("bug", "token", "oracle"),
    [
        ("coalescing-deadlock", "kill@client-0@Service.configured+8~0", "Q"),
        ("start-leaks", "cancel@root@Pool.open+3~1", "R"),
    ],
)
def test_a_token_holds_on_every_version(bug: str, token: str, oracle: str) -> None:
    assert storm("", ()).replay(token).violations == []
    outcome = storm(bug, ()).replay(token)
    assert oracle in {one.oracle for one in outcome.violations}


def test_a_load_may_take_longer_than_a_stop() -> None:
    async def slow(service: Service) -> None:
        for item in range(3):
            await asyncio.sleep(8)
            await service.submit(item)

    assert Sweep(maker(Service), slow, "Service", SINGLE).sweep().causes == []
