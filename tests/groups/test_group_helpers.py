"""What do the helpers of a group do beyond the rows of the requirements?"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import warnings
from typing import Any

import pytest

from pytest_taskleak import DrainStats, TaskLimitError, TrackedTaskGroup, current_group, fire_and_forget

# The loop's own end must not fail the tests; what is left in a group is looked at by each.
pytestmark = [pytest.mark.asyncio, pytest.mark.no_taskleak]


async def forever() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def boom() -> None:
    """Fail."""
    raise ValueError("boom")


async def result(value: int = 7) -> int:
    """Return a value after a turn."""
    await asyncio.sleep(0)
    return value


# --- from other threads -----------------------------------------------------------------------------------


async def test_result_for_another_thread() -> None:
    group = TrackedTaskGroup().open()
    future = await asyncio.to_thread(group.create_task_threadsafe, result())
    assert await asyncio.wrap_future(future) == 7


async def test_to_cancel_the_future_cancels_the_child() -> None:
    group = TrackedTaskGroup().open()
    future = await asyncio.to_thread(group.create_task_threadsafe, forever())
    while not len(group):
        await asyncio.sleep(0)
    assert future.cancel()
    assert await group.settle(1)
    assert [task.outcome for task in group.history()] == ["cancelled"]


async def test_a_cancelled_child_cancels_the_future() -> None:
    group = TrackedTaskGroup().open()
    future = await asyncio.to_thread(group.create_task_threadsafe, forever())
    while not len(group):
        await asyncio.sleep(0)
    await group.drain(deadline=0.01)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(0)


async def test_a_failure_that_the_future_was_asked_for_is_told() -> None:
    group = TrackedTaskGroup().open()
    future = await asyncio.to_thread(group.create_task_threadsafe, boom())
    while not future.done():
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="boom"):
        future.result(0)
    assert group._books.failures.unasked() == ([], 0)


async def test_a_failure_that_nobody_asked_for_is_not() -> None:
    group = TrackedTaskGroup().open()
    await asyncio.to_thread(group.create_task_threadsafe, boom())
    while not group.history():
        await asyncio.sleep(0)
    failures, more = group._books.failures.unasked()
    assert [str(failure.exception) for failure in failures] == ["boom"]
    assert not more


async def test_a_group_whose_loop_is_closed() -> None:
    group = TrackedTaskGroup("late")

    async def main() -> None:
        group.open()

    await asyncio.to_thread(asyncio.run, main())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match=r"'late'.*loop is closed"):
            group.create_task_threadsafe(forever())
        gc.collect()


# --- limits and drains ------------------------------------------------------------------------------------


async def test_gather_without_room_makes_none() -> None:
    group = TrackedTaskGroup(limit=2).open()
    with pytest.raises(TaskLimitError, match="3 children at once"):
        await group.gather(result(), result(), result())
    assert not group.history()


async def test_a_drain_that_is_cancelled_leaves_nothing_running() -> None:
    group = TrackedTaskGroup().open()
    task = group.create_task(forever())
    drain = asyncio.create_task(group.drain(deadline=60))
    await asyncio.sleep(0)
    drain.cancel()
    await asyncio.wait([drain, task])
    assert drain.cancelled()
    assert task.cancelled()


async def test_who_waits_for_the_drain_is_not_cancelled_by_it() -> None:
    """A tracked task that awaits another one, which drains: to cancel the first would cancel the drain."""
    group = TrackedTaskGroup().open()
    found: list[DrainStats] = []

    async def inner() -> None:
        found.append(await group.drain(deadline=0.05))

    async def outer() -> None:
        await group.create_task(inner())

    group.create_task(forever())
    await group.create_task(outer())
    assert [(stats.total, stats.cancelled, stats.stuck) for stats in found] == [(1, 1, 0)]


async def test_more_failures_than_are_kept() -> None:
    group = TrackedTaskGroup().open()
    for _ in range(25):
        group.spawn(boom(), name="boom")
    await group.settle()
    failures, more = group._books.failures.unasked()
    assert (len(failures), more) == (10, 15)


async def test_awaited_failures_make_room() -> None:
    group = TrackedTaskGroup().open()
    for _ in range(25):
        with pytest.raises(ValueError, match="boom"):
            await group.spawn(boom())
    assert group._books.failures.unasked() == ([], 0)
    assert group.failures() == {"boom": 25}


# --- names and places -------------------------------------------------------------------------------------


async def test_a_call_that_is_due_later_looks_like_its_function() -> None:
    group = TrackedTaskGroup().open()
    for function in (result, functools.partial(result, 3)):
        scheduled = group.schedule(60, function)
        coro: Any = scheduled.task.get_coro()
        assert (coro.cr_code.co_qualname, coro.cr_code.co_filename) == ("result", __file__)
        assert coro.cr_code.co_firstlineno == result.__code__.co_firstlineno
    assert await group.drain(deadline=0.01) == DrainStats(total=2, cancelled=2, timed_out=2)


async def test_what_is_spawned_has_a_name() -> None:
    group = TrackedTaskGroup().open()
    task = group.spawn(result())
    assert task.get_name() == "result"
    await task


async def test_many_groups_in_one_task_are_forgotten() -> None:
    """A component that is started again and again in one task leaves nothing there."""
    from pytest_taskleak.groups.current import CURRENT

    for _ in range(100):
        TrackedTaskGroup().open()
        gc.collect()
    assert len(CURRENT.get()) <= 2


async def test_the_innermost_group_is_the_current_one() -> None:
    async with TrackedTaskGroup("outer") as outer:
        async with TrackedTaskGroup("inner") as inner:
            assert current_group() is inner
        assert current_group() is outer
    with pytest.raises(RuntimeError, match="no TrackedTaskGroup"):
        current_group()


async def test_fire_and_forget_without_a_group_makes_nothing() -> None:
    @fire_and_forget
    async def notify() -> None:
        raise AssertionError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="no TrackedTaskGroup"):
            notify()
        gc.collect()
