"""Rows 18 to 29, background tasks: is no failure silent, no count wrong, and no item lost?"""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak import FakeClock, TaskFailure, TrackedTaskGroup, fire_and_forget
from pytest_taskleak.testing import check_spawner

if TYPE_CHECKING:
    from tests.conftest import Suite

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stories import failing, forever, names, told, turns, virtual
from twins.background import FAILURES, create_safe_task, schedule_with_delay

Schedule = Callable[..., Any]


def test_row_19_no_failure_is_silent(suite: Suite) -> None:
    done = suite(
        """
        from pytest_taskleak import fire_and_forget

        async def publish(event):
            raise ConnectionError(f"no broker for {event}")

        async def test_order(tracked_task_group):
            fire_and_forget(group=tracked_task_group)(publish)("order-7")
            await asyncio.sleep(0)

        async def test_next():
            await asyncio.sleep(0)
        """
    )
    assert {name for name, _ in done.failed()} == {"test_order"}
    assert "no broker for order-7" in done.out
    assert "in publish" in done.out
    assert "test_it.py" in done.out


def test_row_20_accepted_work_ends_somewhere() -> None:
    async def story(clock: FakeClock) -> None:
        accepted, stored = [f"event-{number}" for number in range(14)], list[str]()

        async def store(event: str, number: int) -> None:
            await asyncio.sleep(number)
            if number % 3 == 0:
                raise ConnectionError(event)
            stored.append(event)

        group = TrackedTaskGroup().open()
        for number, event in enumerate(accepted):
            group.spawn(store(event, number), name=event)
        await group.drain(deadline=7, grace=1)
        fates: dict[str, list[str]] = {}
        for task in group.history():
            fates.setdefault(str(task.outcome), []).append(task.name)
        assert sorted(name for ended in fates.values() for name in ended) == sorted(accepted)
        assert sorted(fates["completed"]) == sorted(stored)
        assert sorted(group.failures()) == sorted(fates["error"])
        lost = set(accepted) - set(stored) - set(fates["error"])
        assert set(fates["cancelled"]) == lost
        assert lost
        group.reset_failures()

    virtual(story)


def test_row_21_failures_are_counted_by_name() -> None:
    async def story() -> None:
        group = TrackedTaskGroup().open()
        for name in ("mail", "mail", "push", "mail", "mail", "mail"):
            group.spawn(failing(ValueError()), name=name)
        await group.settle(1)
        assert group.failures() == {"mail": 5, "push": 1}
        group.failures()["mail"] = 0
        group.failures().clear()
        assert group.failures() == {"mail": 5, "push": 1}
        group.reset_failures()
        assert group.failures() == {}

    told(story)


def test_row_21_the_next_test_begins_with_none(suite: Suite) -> None:
    done = suite(
        """
        async def fail():
            raise ValueError

        async def test_five(tracked_task_group):
            for _ in range(5):
                tracked_task_group.spawn(fail(), name="mail")
            await tracked_task_group.settle(1)
            assert tracked_task_group.failures() == {"mail": 5}
            tracked_task_group.assert_failures(max=5)
            tracked_task_group.reset_failures()

        async def test_none(tracked_task_group):
            assert tracked_task_group.failures() == {}
            tracked_task_group.assert_failures()
        """
    )
    assert done.counts == "2 passed", done.out


@pytest.mark.parametrize(("number", "status"), [(0, "ok"), (99, "ok"), (100, "degraded")])
def test_row_22_degraded_from_a_threshold_on(number: int, status: str) -> None:
    async def story() -> None:
        group = TrackedTaskGroup().open()
        for index in range(number):
            group.spawn(failing(ValueError()), name="mail" if index % 2 else "push")
        await group.settle(1)
        health = group.health()
        assert (health.status, health.total) == (status, number)
        assert health.by_task == Counter("mail" if index % 2 else "push" for index in range(number))
        assert group.health(degraded_from=1).status == ("degraded" if number else "ok")
        group.assert_failures(max=100)
        if number == 100:
            with pytest.raises(AssertionError, match=r"100(.|\n)*mail"):
                group.assert_failures(max=99)
        else:
            group.assert_failures(max=99)
        group.reset_failures()

    told(story)


@pytest.mark.parametrize("after", range(8))
def test_row_23_cancellation_is_never_swallowed(after: int) -> None:
    async def story() -> None:
        heard = list[TaskFailure]()
        group = TrackedTaskGroup(on_error=heard.append).open()
        task = group.spawn(turns(10), name="job")
        await turns(after)
        assert task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert (heard, group.failures()) == ([], {})
        assert [(ended.name, ended.outcome) for ended in group.history()] == [("job", "cancelled")]

    told(story)


def test_row_23_the_callback_is_called_once_and_contained() -> None:
    async def story() -> None:
        heard = list[TaskFailure]()

        def on_error(failure: TaskFailure) -> None:
            heard.append(failure)
            raise LookupError("nobody answers")

        group = TrackedTaskGroup(on_error=on_error).open()
        other = group.spawn(turns(20), name="other")
        error = ValueError("no such order")
        task = group.spawn(failing(error), name="job")
        with pytest.raises(ValueError, match="no such order"):
            await task
        await other
        assert [(failure.name, failure.exception) for failure in heard] == [("job", error)]
        assert group.failures() == {"job": 1}
        group.reset_failures()

    told(story)


def test_row_23_the_kit_finds_no_fault_in_spawn() -> None:
    with pytest.raises(AssertionError, match="SP8  keeps a reference"):
        check_spawner(create_safe_task, on_error="on_error", failures=lambda: dict(FAILURES))
    check_spawner(
        TrackedTaskGroup.spawn,
        around=TrackedTaskGroup,
        on_error="on_error",
        failures=TrackedTaskGroup.failures,
    )


class Bare(Coroutine[Any, Any, int]):
    """A coroutine that has no name of its own."""

    def __init__(self) -> None:
        self._inner = self._work()

    async def _work(self) -> int:
        await asyncio.sleep(0)
        return 7

    def send(self, value: Any) -> Any:
        return self._inner.send(value)

    def throw(self, *args: Any) -> Any:
        return self._inner.throw(*args)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, int]:
        return self._inner.__await__()


@pytest.mark.parametrize("call", ["create_task", "spawn"])
def test_row_24_a_name_is_kept_for_any_coroutine(call: str) -> None:
    async def story() -> None:
        group = TrackedTaskGroup().open()
        task = getattr(group, call)(Bare(), name="ledger")
        assert task.get_name() == "ledger"
        assert [task.name for task in group.tasks()] == ["ledger"]
        assert await task == 7
        unnamed = getattr(group, call)(Bare())
        assert [task.name for task in group.tasks() if task.name] != []
        await unnamed
        assert next(task.name for task in group.history()) == "ledger"

    told(story)


def test_row_25_the_group_keeps_its_tasks() -> None:
    async def story() -> None:
        loop, done = asyncio.get_running_loop(), list[str]()
        gates: weakref.WeakSet[asyncio.Future[None]] = weakref.WeakSet()

        async def work(name: str) -> None:
            gate = loop.create_future()
            gates.add(gate)
            await gate
            done.append(name)

        group = TrackedTaskGroup().open()
        group.spawn(work("spawned"))
        group.create_task(work("created"))
        fire_and_forget(group=group)(work)("fired")
        await turns()
        gc.collect()
        for gate in list(gates):
            gate.set_result(None)
        await turns()
        assert sorted(done) == ["created", "fired", "spawned"]
        await group.drain(deadline=1)

    told(story)


def test_row_26_the_site_is_the_callers() -> None:
    async def story() -> None:
        group = TrackedTaskGroup().open()
        send = fire_and_forget(group=group, name="mail")(forever)
        task, line = send(), sys._getframe().f_lineno
        assert isinstance(task, asyncio.Task)
        (tracked,) = group.tasks()
        assert tracked.name == "mail"
        assert tracked.born.endswith(f"{Path(__file__).name}:{line}")
        await group.drain(deadline=1, grace=0.5)

    virtual(lambda clock: story())


def test_row_27_the_fate_of_every_child_is_told() -> None:
    async def story(clock: FakeClock) -> None:
        async def answer(number: int) -> int:
            await asyncio.sleep(number)
            return number

        async def given_up() -> None:
            raise asyncio.CancelledError

        async with TrackedTaskGroup() as group:
            error = ValueError("no such order")
            fates = await group.gather(
                answer(3), failing(error), given_up(), answer(1), names=("a", "b", "c", "d")
            )
            assert [(fate.name, fate.outcome) for fate in fates] == [
                ("a", "completed"),
                ("b", "error"),
                ("c", "cancelled"),
                ("d", "completed"),
            ]
            assert [fate.result for fate in fates] == [3, None, None, 1]
            assert fates[1].exception is error
            assert fates[0].unwrap() == 3
            with pytest.raises(ValueError, match="no such order"):
                fates[1].unwrap()
            with pytest.raises(asyncio.CancelledError):
                fates[2].unwrap()
            assert await group.gather() == []
            group.reset_failures()

    virtual(story)


def ours_scheduled() -> tuple[Schedule, Callable[[], Awaitable[object]]]:
    group = TrackedTaskGroup().open()
    return group.schedule, lambda: group.drain(deadline=5)


def twin_scheduled() -> tuple[Schedule, Callable[[], Awaitable[object]]]:
    def schedule(delay: float, coro_fn: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        return schedule_with_delay(coro_fn(*args), delay)

    return schedule, turns


def unfired_leaves_no_coroutine(make: Callable[[], tuple[Schedule, Callable[[], Awaitable[object]]]]) -> None:
    async def send(item: str) -> None:
        raise AssertionError(f"{item} was sent")

    async def story(clock: FakeClock) -> None:
        schedule, stop = make()
        timer = schedule(300, send, "follow-up")
        await asyncio.sleep(10)
        timer.cancel()
        await stop()
        assert clock.elapsed <= 15

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        virtual(story)
        gc.collect()
    lost = [str(warning.message) for warning in said if "never awaited" in str(warning.message)]
    assert lost == [], "the delayed coroutine was thrown away"


@pytest.mark.taskleak(allow="coroutine:*send", reason="the twin's mistake")
def test_row_28_a_delay_that_is_cancelled_leaves_no_coroutine() -> None:
    unfired_leaves_no_coroutine(ours_scheduled)
    with pytest.raises(AssertionError, match="the delayed coroutine was thrown away"):
        unfired_leaves_no_coroutine(twin_scheduled)


def test_row_28_a_delay_fires_on_time_and_is_accounted_on_stop() -> None:
    async def story(clock: FakeClock) -> None:
        sent = dict[str, float]()

        async def send(item: str) -> None:
            sent[item] = clock.elapsed

        group = TrackedTaskGroup().open()
        first = group.schedule(300, send, "first", name="follow-up")
        last = group.schedule(900, send, "last")
        before = first.fired
        await asyncio.sleep(301)
        assert sent == {"first": 300}
        assert (before, first.fired) == (False, True)
        assert [(task.name, task.outcome) for task in group.history()] == [("follow-up", "completed")]
        stats = await group.drain(deadline=5)
        assert (stats.total, stats.cancelled) == (1, 1)
        assert not last.fired
        assert [timer for timer in clock.timers() if timer.due_in > 1] == []
        await asyncio.sleep(1000)
        assert sent == {"first": 300}

    virtual(story)


def test_row_29_one_failure_leaves_the_others_alone() -> None:
    async def story(clock: FakeClock) -> None:
        done = list[int]()

        async def work(number: int) -> None:
            await asyncio.sleep(number)
            if number == 2:
                raise ValueError
            done.append(number)

        async with TrackedTaskGroup() as group:
            for number in range(5):
                group.spawn(work(number), name=f"job-{number}")
        assert done == [0, 1, 3, 4]
        assert group.failures() == {"job-2": 1}
        assert names() == []
        group.reset_failures()

    virtual(story)
