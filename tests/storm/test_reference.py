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
from pytest_taskleak.storm.causes import once
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import AXES
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reference import BUGS, HOME, Service, load

SEEDS = range(int(os.environ.get("STORM_SEEDS", "3")))
FEW = SEEDS if len(SEEDS) > 3 else SEEDS[:1]
SINGLE = tuple(axis for axis in AXES if axis != "pair")
WHOLE = ("stop", "cancel", "stop2")
"""What is done to the service as a whole."""
BASELINE = "baseline"
"""After each run without a second stop there is one more, so that this needs no trigger."""


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


def test_the_page_of_the_example_tells_of_every_mistake() -> None:
    rows = [f"| `{name}` | {bug.what} | `{bug.axis}` | {bug.told} |" for name, bug in BUGS.items()]
    page = (HOME / "README.md").read_text(encoding="utf-8")
    assert [row for row in page.splitlines() if row.startswith("| `")] == rows
    assert len(rows) >= 17


def test_a_mistake_that_there_is_not_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"no bug of the service: 'oversleeps'; it is one of swallowed-cancel, "
    ):
        Service(Env(0, None), "oversleeps")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bug", BUGS)
def test_every_mistake_is_found_and_replayed(bug: str, seed: int) -> None:
    report = until_found(bug, seed)
    first = BASELINE if bug == "stop-not-idempotent" else BUGS[bug].axis
    assert {cause.axis for cause in report.causes} == {first}
    assert set(BUGS[bug].told) <= {cause.oracle for cause in report.causes}
    (token,) = {cause.token for cause in report.causes}
    again = storm(bug, ())
    outcomes = [again.replay(token) for _ in range(2)]
    assert {told.key for told in once(outcomes[0].violations)} == {
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
