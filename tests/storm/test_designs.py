"""Published designs that fail under a storm: does it find each as described, and nothing when that is mended?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.cycles import cycle
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import Limits

sys.path.insert(0, str(Path(__file__).resolve().parent))

from designs import audit_002 as audit
from designs import background_001 as background
from designs import dispatcher_004 as dispatcher
from designs import hardening_003 as hardening
from designs import tracker_000 as tracker
from sweeping import ALL, Load, Swept

NO_DEPENDENCY = tuple(axis for axis in ALL if axis != "fault")
SEEDS = tuple(range(4))


def finds(swept: Swept, **letters: str) -> None:
    """Assert what each axis finds; one that is not named finds nothing."""
    axes = ("baseline", *swept.sweep.axes)
    found = {axis: swept.letters(axis) for axis in axes}
    assert found == {axis: "".join(sorted(letters.get(axis, ""))) for axis in axes}, swept.told()


def clean(
    target: Any, load: Load = None, limits: Limits | None = None, axes: tuple[str, ...] = NO_DEPENDENCY
) -> None:
    """Assert that a mended design stands every axis, whatever the schedule."""
    swept = Swept(target, load, limits, axes, SEEDS)
    assert swept.told() == []


def everywhere(swept: Swept, *axes: str) -> None:
    """Assert that each run of some axes fails: what is wrong needs no special moment."""
    assert [axis for axis in ("baseline", *axes) if not swept.always(axis)] == []


def submits(count: int) -> Callable[[Any], None]:
    """Return a load that hands in so many items at once."""

    def load(service: Any) -> None:
        for number in range(count):
            service.submit(number)

    return load


# --- 000: a tracker of tasks -----------------------------------------------------------------------------

Kept = Callable[[Env, tracker.Keeps], Any]


def kept(service: Kept, keeps: tracker.Keeps) -> Callable[[Env], Any]:
    """Return what makes a service on a tracker."""
    return lambda env: service(env, keeps)


mended = pytest.mark.parametrize("keeps", [tracker.MendedTracker, tracker.Grouped])


def test_000_limit_check_after_creation() -> None:
    swept = Swept(kept(tracker.Jobs, tracker.Tracker), submits(4), axes=NO_DEPENDENCY)
    finds(swept, baseline="T", stop="T", cancel="T", stop2="T", kill="T")
    everywhere(swept, "stop", "stop2")


@mended
def test_000_limit_check_before_creation(keeps: tracker.Keeps) -> None:
    clean(kept(tracker.Jobs, keeps), submits(4))


def test_000_second_cancel_kills_a_cleanup() -> None:
    swept = Swept(kept(tracker.Saver, tracker.Tracker), submits(3), axes=NO_DEPENDENCY)
    finds(swept, baseline="L", stop="L", cancel="L", stop2="L")
    everywhere(swept, "stop", "stop2")


@mended
def test_000_one_cancel_lets_a_cleanup_end(keeps: tracker.Keeps) -> None:
    clean(kept(tracker.Saver, keeps), submits(3))


def test_000_drain_called_by_a_tracked_task() -> None:
    swept = Swept(kept(tracker.SelfDraining, tracker.Tracker), axes=NO_DEPENDENCY)
    finds(swept, baseline="R", stop="R", cancel="R", stop2="R", kill="R")
    everywhere(swept, "stop", "stop2")


@mended
def test_000_drain_spares_its_caller(keeps: tracker.Keeps) -> None:
    clean(kept(tracker.SelfDraining, keeps))


def test_000_spawn_during_drain() -> None:
    swept = Swept(kept(tracker.Spawning, tracker.Tracker), axes=NO_DEPENDENCY)
    finds(swept, baseline="T", stop="T", cancel="T", stop2="T")
    everywhere(swept, "stop", "stop2")


@mended
def test_000_drain_until_nobody_is_left(keeps: tracker.Keeps) -> None:
    clean(kept(tracker.Spawning, keeps))


# --- 001: background work --------------------------------------------------------------------------------


def test_001_delayed_schedule_cancelled_early() -> None:
    swept = Swept(background.FollowUps, submits(2), axes=NO_DEPENDENCY)
    finds(swept, baseline="LW", stop="LW", cancel="LW", stop2="LW", kill="LW")
    everywhere(swept, "stop", "stop2")


def test_001_delayed_schedule_made_when_it_is_due() -> None:
    clean(background.AccountedFollowUps, submits(2))


# --- 002: an audit trail ---------------------------------------------------------------------------------


def test_002_swap_and_readd() -> None:
    swept = Swept(audit.Trail, audit.entries)
    finds(swept, stop="L", cancel="L", stop2="L", kill="L", fault="L")


def test_002_swap_and_readd_whatever_happens() -> None:
    clean(audit.CarefulTrail, audit.entries, axes=ALL)


def test_002_readd_into_a_full_deque() -> None:
    swept = Swept(audit.OverflowingTrail, audit.entries)
    finds(swept, stop="L", cancel="L", stop2="L", kill="L", fault="L")


def test_002_readd_counts_what_falls_out() -> None:
    clean(audit.CountingTrail, audit.entries, axes=ALL)


def lived(lifespan: Callable[[], Any]) -> Callable[[Env], Any]:
    """Return what makes a lifespan."""
    return lambda _: lifespan()


def test_002_taskgroup_with_an_endless_worker_in_the_lifespan() -> None:
    swept = Swept(lived(audit.endless_lifespan), axes=NO_DEPENDENCY)
    finds(swept, baseline="DT", stop="DT", stop2="DT")
    everywhere(swept, "stop", "stop2")


def test_002_taskgroup_whose_worker_is_told() -> None:
    clean(lived(audit.ending_lifespan))


def two_entries(recorder: audit.Recorder) -> None:
    """Append two entries."""
    for number in range(2):
        recorder.append(number)


def test_002_running_flag_after_group_abort() -> None:
    report = cycle(maker(audit.Recorder), two_entries, count=4, crash="store", stopped=False)
    found = {(v.oracle, v.text) for v in report.outcome.violations}
    assert found == {("S", "cycle 2 does none of its 2 items: it starts nothing")}, "its stop clears the flag"


def test_002_running_flag_is_cleared() -> None:
    for stopped in (False, True):
        mended = maker(audit.RestartingRecorder)
        report = cycle(mended, two_entries, count=4, crash="store", stopped=stopped)
        assert report.outcome.violations == []


# --- 003: a service on shaky ground ----------------------------------------------------------------------


def querying(pool: type[hardening.LeakingPool]) -> Callable[[Env], Any]:
    """Return what makes a service on a pool."""
    return lambda env: hardening.Querying(env, pool)


def test_003_c4_pool_permit_leak() -> None:
    swept = Swept(querying(hardening.LeakingPool))
    finds(swept, stop="K", cancel="K", stop2="K", kill="K", fault="K")


def test_003_c4_pool_gives_permits_back() -> None:
    clean(querying(hardening.CarefulPool), axes=ALL)


def test_003_c4_nested_acquire() -> None:
    patient = Limits(live_on=60)
    unbounded = Swept(hardening.Nesting, hardening.two_callers(None), patient, NO_DEPENDENCY)
    finds(unbounded)  # it resolves itself after 30 seconds
    swept = Swept(hardening.Nesting, hardening.two_callers(5.0), patient, NO_DEPENDENCY)
    finds(swept, baseline="Q", stop="Q", cancel="Q", stop2="Q")
    everywhere(swept, "stop", "stop2")
    assert any("had its answer after 30" in text for text in swept.told())


def test_003_c4_nested_acquire_on_one_connection() -> None:
    clean(hardening.Reusing, hardening.two_callers(5.0), Limits(live_on=60))


def test_003_c6_coalescing() -> None:
    swept = Swept(hardening.Coalescing, hardening.three_callers)
    finds(swept, kill="EKQX")
    stuck = [o for o in swept.of("kill") if any(v.oracle == "K" for v in o.violations)]
    assert len(stuck) == 2
    assert all({v.oracle for v in outcome.violations} == {"K", "Q", "X"} for outcome in stuck)
    hit = [v for outcome in swept.of("kill") for v in outcome.violations if v.oracle == "E"]
    assert {v.where for v in hit} == {"client InvalidStateError@Coalescing.get"}, "the first requester"
    cut = {v.where for outcome in swept.of("kill") for v in outcome.violations if v.scale == "indeterminate"}
    assert cut == {"cut@Coalescing.get"}, "the third one, when the second one goes"


def test_003_c6_coalescing_in_a_task_of_its_own() -> None:
    clean(hardening.Sharing, hardening.three_callers, axes=ALL)


def test_003_c7_same_name() -> None:
    swept = Swept(hardening.ByName, axes=NO_DEPENDENCY)
    finds(swept, baseline="T", stop="T", cancel="T", stop2="T", kill="T")
    everywhere(swept, "stop", "stop2")


def test_003_c7_each_task_by_itself() -> None:
    clean(hardening.ByTask)


def test_003_c7_wait_for_gather() -> None:
    swept = Swept(hardening.WaitsFor, limits=Limits(grace=10), axes=NO_DEPENDENCY)
    finds(swept, baseline="D", stop="D", cancel="D", stop2="D")
    everywhere(swept, "stop", "stop2")


def test_003_c7_wait_is_a_bound() -> None:
    clean(hardening.Waits, limits=Limits(grace=10))


def test_003_c10_order() -> None:
    swept = Swept(hardening.ClosedFirst, axes=NO_DEPENDENCY)
    finds(swept, baseline="C", stop="C", cancel="C", stop2="C")


def test_003_c10_order_users_first() -> None:
    clean(hardening.ClosedLast)


def test_003_c1_health_loop() -> None:
    swept = Swept(hardening.Unwatched)
    finds(swept, baseline="CT", stop="CT", cancel="CRT", stop2="CT", fault="R")
    everywhere(swept, "stop", "stop2", "fault")
    in_start = [o for o in swept.of("cancel") if any(v.oracle == "R" for v in o.violations)]
    assert in_start, "a cancelled start leaves the connection open"
    assert all({v.oracle for v in outcome.violations} == {"R"} for outcome in in_start)


def test_003_c1_health_loop_is_kept() -> None:
    clean(hardening.Watched, axes=ALL)


def test_003_c3_loop_per_instance() -> None:
    swept = Swept(hardening.CachePerInstance, axes=NO_DEPENDENCY)
    finds(swept, baseline="T", stop="T", cancel="T", stop2="T")
    everywhere(swept, "stop", "stop2")


def test_003_c3_loop_per_instance_ends() -> None:
    clean(hardening.ClosedCaches)


# --- 004: a dispatcher of logs ---------------------------------------------------------------------------


def test_004_stop_timeout_waiter() -> None:
    swept = Swept(dispatcher.HidingStop, limits=Limits(deadline=15), axes=NO_DEPENDENCY)
    finds(swept, baseline="ET", stop="ET", cancel="ET", stop2="ET")
    everywhere(swept, "stop", "stop2")
    assert any("task 'waiter'" in text for text in swept.told())
    assert any("stop() gave up after 10 s and told nobody" in text for text in swept.told())


def test_004_stop_timeout_cancels() -> None:
    clean(dispatcher.CancellingStop, limits=Limits(deadline=15))


def test_004_retry_timer() -> None:
    swept = Swept(dispatcher.Retrying, submits(2), axes=NO_DEPENDENCY)
    finds(swept, baseline="Ct", stop="Ct", cancel="Ct", stop2="Ct")


def test_004_retry_timer_is_cancelled() -> None:
    clean(dispatcher.CancellingRetries, submits(2))


# --- all of them -----------------------------------------------------------------------------------------

CASES = {
    "000_limit_check_after_creation": (2, "000_limit_check_before_creation"),
    "000_second_cancel_kills_a_cleanup": (10, "000_one_cancel_lets_a_cleanup_end"),
    "000_drain_called_by_a_tracked_task": (12, "000_drain_spares_its_caller"),
    "000_spawn_during_drain": (11, "000_drain_until_nobody_is_left"),
    "001_delayed_schedule_cancelled_early": (28, "001_delayed_schedule_made_when_it_is_due"),
    "002_swap_and_readd": (40, "002_swap_and_readd_whatever_happens"),
    "002_readd_into_a_full_deque": (41, "002_readd_counts_what_falls_out"),
    "002_taskgroup_with_an_endless_worker_in_the_lifespan": (35, "002_taskgroup_whose_worker_is_told"),
    "002_running_flag_after_group_abort": (31, "002_running_flag_is_cleared"),
    "003_c4_pool_permit_leak": (57, "003_c4_pool_gives_permits_back"),
    "003_c4_nested_acquire": (56, "003_c4_nested_acquire_on_one_connection"),
    "003_c6_coalescing": (58, "003_c6_coalescing_in_a_task_of_its_own"),
    "003_c7_same_name": (62, "003_c7_each_task_by_itself"),
    "003_c7_wait_for_gather": (63, "003_c7_wait_is_a_bound"),
    "003_c10_order": (66, "003_c10_order_users_first"),
    "003_c1_health_loop": (49, "003_c1_health_loop_is_kept"),
    "003_c3_loop_per_instance": (53, "003_c3_loop_per_instance_ends"),
    "004_stop_timeout_waiter": (77, "004_stop_timeout_cancels"),
    "004_retry_timer": (74, "004_retry_timer_is_cancelled"),
}
"""Case -> the row of the requirements that it stands for, and the test of what mends it."""


def test_every_case_has_both_of_its_tests() -> None:
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_0")}
    assert tests == {*CASES, *(mended for _, mended in CASES.values())}
    rows = [row for row, _ in CASES.values()]
    assert len(CASES) == len(set(rows)) == 19
