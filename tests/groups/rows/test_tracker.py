"""Rows 1 to 17, the task tracker: is what was asked of it served, and are its mistakes not ours?

A row with a mistake has one check that ours passes and that fails for the twin.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import math
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_taskleak import DrainStats, FakeClock, TaskLimitError, TrackedTaskGroup

if TYPE_CHECKING:
    from tests.conftest import Suite

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stories import Task, cleaning, failing, forever, names, others, stubborn, told, turns, virtual
from twins.tracker import Tracker

BAD = (0, -1, math.nan, True, "5")
"""No durations."""


class Keeper(Protocol):
    """What ours and the twin have in common."""

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> Task: ...

    async def cancel_all(self, timeout: float = 5.0) -> object: ...


Make = Callable[[int], Keeper]


class Ours:
    """A group behind the words of the tracker."""

    def __init__(self, limit: int = 10_000) -> None:
        self.group = TrackedTaskGroup(limit=limit).open()

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> Task:
        return self.group.create_task(coro, name=name)

    async def cancel_all(self, timeout: float = 5.0) -> DrainStats:
        return await self.group.drain(deadline=timeout)


def never_awaited(act: Callable[[], object]) -> list[str]:
    """Return what is said of coroutines that nobody awaited."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        act()
        gc.collect()
    return [str(warning.message) for warning in said if "never awaited" in str(warning.message)]


@pytest.mark.parametrize("call", ["create_task", "spawn"])
def test_row_01_create_outside_a_loop_fails_at_once(call: str) -> None:
    def act() -> None:
        with pytest.raises(RuntimeError, match=rf"\b{call}\b"):
            getattr(TrackedTaskGroup(), call)(forever())

    assert never_awaited(act) == []


def refuses_before_creation(make: Make) -> None:
    async def story(clock: FakeClock) -> None:
        keeper = make(3)
        for number in range(3):
            keeper.create(forever(), name=f"job-{number}")
        before, extra = others(), forever()
        with pytest.raises(RuntimeError, match="3"):
            keeper.create(extra, name="extra")
        assert others() == before, "what was refused was created"
        assert inspect.getcoroutinestate(extra) == inspect.CORO_CLOSED
        await keeper.cancel_all(5)

    virtual(story)


def test_row_02_the_limit_refuses_before_creation() -> None:
    refuses_before_creation(Ours)
    with pytest.raises(AssertionError, match="what was refused was created"):
        refuses_before_creation(Tracker)


def test_row_02_the_default_limit_is_ten_thousand() -> None:
    async def story(clock: FakeClock) -> None:
        async with TrackedTaskGroup() as group:
            for _ in range(10_000):
                group.create_task(asyncio.sleep(1))
            with pytest.raises(TaskLimitError, match=r"10,?000"):
                group.create_task(asyncio.sleep(1))
            assert len(others()) == 10_000

    virtual(story)


def test_row_02_the_refusal_names_the_five_busiest_sites() -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup(limit=21).open()
        for _ in range(1):
            group.create_task(forever())
        for _ in range(2):
            group.create_task(forever())
        for _ in range(6):
            group.create_task(forever())
        for _ in range(5):
            group.create_task(forever())
        for _ in range(4):
            group.create_task(forever())
        for _ in range(3):
            group.create_task(forever())
        with pytest.raises(TaskLimitError) as refused:
            group.create_task(forever())
        sites = [site for site, _ in Counter(task.born for task in group.tasks()).most_common()]
        message = str(refused.value)
        found = sorted(sites, key=message.find)
        assert [site for site in found if site in message] == sites[:5]
        assert sites[5] not in message
        await group.drain(deadline=5)

    virtual(story)


def test_row_03_a_task_outside_the_group_is_told(suite: Suite) -> None:
    done = suite(
        """
        async def test_both(tracked_task_group):
            tracked_task_group.create_task(forever(), name="owned")
            tracked_task_group.create_task(forever(), name="declared", background=True)
            GATES.append(asyncio.create_task(forever(), name="unowned"))

        @pytest.mark.taskleak(allow="task:unowned")
        async def test_allowed(tracked_task_group):
            GATES.append(asyncio.create_task(forever(), name="unowned"))
        """
    )
    told = sorted(
        line.partition(" ")[2]
        for line in done.told().get("test_it.py::test_both", []) or done.told().get("test_both", [])
    )
    assert told == ["owned", "unowned"]
    assert [name for name, _ in done.failed()] == ["test_both"]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_row_04_durations_are_validated(bad: Any) -> None:
    async def story(clock: FakeClock) -> None:
        async with TrackedTaskGroup() as group:
            for call in (
                lambda: group.drain(deadline=bad),
                lambda: group.drain(deadline=5, grace=bad),
                lambda: group.settle(bad),
            ):
                with pytest.raises((ValueError, TypeError), match=r"deadline|grace|timeout"):
                    await call()
            if bad != 0:
                with pytest.raises((ValueError, TypeError), match="delay"):
                    group.schedule(bad, forever)

    virtual(story)


def test_row_04_none_is_for_waiting_only() -> None:
    async def story(clock: FakeClock) -> None:
        async with TrackedTaskGroup() as group:
            group.create_task(asyncio.sleep(1000))
            with pytest.raises((ValueError, TypeError), match="deadline"):
                await group.drain(deadline=None)  # type: ignore[arg-type]
            assert await group.settle(None)
            assert clock.elapsed == 1000

    virtual(story)


def test_row_05_an_empty_group_is_done_at_once() -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup().open()
        assert await group.settle()
        assert await group.settle(5)
        assert await group.drain(deadline=5) == DrainStats()
        assert clock.elapsed == 0
        assert clock.stats.jumps == 0

    virtual(story)


@pytest.mark.parametrize("cancel_again", [False, True])
def test_row_06_the_deadline_is_the_whole_budget(cancel_again: bool) -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup().open()
        group.create_task(stubborn(60))
        await turns()
        stats = await group.drain(deadline=5, cancel_again=cancel_again)
        assert clock.elapsed <= 5 + 1e-6
        assert stats.stuck == 1

    virtual(story)


def test_row_07_the_numbers_add_up() -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup().open()
        mix: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            forever,
            lambda: asyncio.sleep(0.1),
            lambda: failing(ValueError()),
            lambda: stubborn(60),
        ]
        for number, coro_fn in enumerate(mix, 1):
            for _ in range(number):
                group.create_task(coro_fn())
        stats = await group.drain(deadline=5)
        assert (stats.total, stats.cancelled, stats.completed, stats.errors, stats.stuck) == (10, 1, 2, 3, 4)
        assert stats.total == stats.cancelled + stats.completed + stats.errors + stats.stuck
        assert stats.stuck <= stats.timed_out
        assert group.failures() == {"failing": 3}

    virtual(story)


def test_row_08_late_is_not_stuck() -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup().open()
        group.create_task(cleaning(1), name="slow")
        group.create_task(stubborn(60), name="stubborn")
        await turns()
        stats = await group.drain(deadline=10, grace=5)
        assert (stats.timed_out, stats.stuck) == (2, 1)
        assert stats.cancelled == 1

    virtual(story)


def test_row_09_what_is_stuck_stays_registered() -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup().open()
        group.create_task(stubborn(60), name="ledger")
        group.create_task(forever(), name="meek")
        await turns()
        stats = await group.drain(deadline=5)
        assert [task.name for task in group.tasks()] == ["ledger"]
        (chain,) = stats.stuck_tasks
        assert "ledger" in chain
        assert "stubborn" in chain
        assert "sleep" in chain
        assert "meek" not in chain
        await asyncio.sleep(60)
        assert group.tasks() == ()

    virtual(story)


def cleanup_is_left_alone(make: Make) -> None:
    async def story(clock: FakeClock) -> None:
        keeper, flushed = make(10), list[str]()
        keeper.create(cleaning(7, lambda: flushed.append("entry")))
        await turns()
        await keeper.cancel_all(5)
        await asyncio.sleep(10)
        assert flushed == ["entry"], "the entry that was about to be flushed is lost"

    virtual(story)


def test_row_10_no_second_cancel_in_a_cleanup() -> None:
    cleanup_is_left_alone(Ours)
    with pytest.raises(AssertionError, match="about to be flushed is lost"):
        cleanup_is_left_alone(Tracker)


def test_row_10_the_second_cancel_is_for_who_asks() -> None:
    async def story(clock: FakeClock) -> None:
        group, flushed = TrackedTaskGroup().open(), list[str]()
        group.create_task(cleaning(7, lambda: flushed.append("entry")))
        await turns()
        stats = await group.drain(deadline=5, grace=1, cancel_again=True)
        assert (stats.cancelled, stats.stuck, flushed) == (1, 0, [])

    virtual(story)


def nobody_survives(make: Make) -> None:
    async def story(clock: FakeClock) -> None:
        keeper = make(10)

        async def parent() -> None:
            try:
                await forever()
            finally:
                keeper.create(forever(), name="born late")

        keeper.create(parent(), name="parent")
        await turns()
        await keeper.cancel_all(5)
        assert names() == [], "born during the drain, it survived"

    virtual(story)


def test_row_11_what_is_born_in_the_drain_is_caught() -> None:
    nobody_survives(Ours)
    with pytest.raises(AssertionError, match="born during the drain, it survived"):
        nobody_survives(Tracker)


def test_row_11_generations_are_caught() -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup().open()

        async def generation(number: int) -> None:
            await asyncio.sleep(0.25)
            if number:
                group.create_task(generation(number - 1))

        group.create_task(generation(5))
        stats = await group.drain(deadline=5)
        assert names() == []
        assert (stats.total, stats.completed, stats.timed_out) == (6, 6, 0)

    virtual(story)


def the_caller_lives(make: Make) -> None:
    async def story(clock: FakeClock) -> None:
        keeper, done = make(10), list[str]()

        async def caller() -> None:
            await keeper.cancel_all(5)
            done.append("the rest")

        keeper.create(forever(), name="other")
        task = keeper.create(caller(), name="caller")
        await asyncio.wait([task])
        assert not task.cancelled(), "the task that asked for the shutdown was cancelled by it"
        assert done == ["the rest"]
        assert names() == []
        assert clock.elapsed <= 5

    virtual(story)


def test_row_12_a_task_of_the_group_may_drain_it() -> None:
    the_caller_lives(Ours)
    with pytest.raises(AssertionError, match="was cancelled by it"):
        the_caller_lives(Tracker)


async def longest_stall(group: TrackedTaskGroup, calls: int) -> float:
    """Return the longest time, in seconds, for which the loop stood while threads made tasks."""

    def work() -> None:
        for _ in range(calls):
            group.create_task_threadsafe(asyncio.sleep(0)).result(60)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    worst, last = 0.0, time.monotonic()
    while any(thread.is_alive() for thread in threads):
        await asyncio.sleep(0)
        worst, last = max(worst, time.monotonic() - last), time.monotonic()
    return worst


def test_row_13_threads_do_not_stall_the_loop() -> None:
    async def story() -> None:
        async with TrackedTaskGroup() as group:
            stalls = [await longest_stall(group, 100)]
            while min(stalls) >= 0.05 and len(stalls) < 5:  # a busy machine may stall any one of them
                stalls.append(await longest_stall(group, 100))
            assert min(stalls) < 0.05

    told(story)


def test_row_13_another_loop_is_refused() -> None:
    async def foreign(group: TrackedTaskGroup) -> None:
        for call in (group.create_task, group.spawn):
            coro = forever()
            with pytest.raises(RuntimeError, match="loop"):
                call(coro)
            assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED
        for wait in (lambda: group.drain(deadline=1), lambda: group.settle(1)):
            with pytest.raises(RuntimeError, match="loop"):
                await wait()

    async def story() -> None:
        group = TrackedTaskGroup().open()
        task = group.create_task(forever())
        await asyncio.to_thread(lambda: asyncio.run(foreign(group)))
        assert not task.done()
        await group.drain(deadline=1)

    told(story)


def test_row_14_settle_kills_nothing() -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup().open()
        task = group.create_task(forever())
        assert await group.settle(5) is False
        assert clock.elapsed == 5
        await turns()
        assert not task.done()
        assert not task.cancelling()
        assert await group.settle(5, cancel_pending=True) is False
        await turns()
        assert task.cancelled()

    virtual(story)


def test_row_15_our_callbacks_never_raise() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the disk is full")

    def on_error(failure: object) -> None:
        raise LookupError("nobody answers")

    async def story() -> None:
        said: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
        group = TrackedTaskGroup(on_error=on_error).open()
        for _ in range(3):
            group.spawn(failing(ValueError()), name="job")
        await turns()
        assert group.tasks() == ()
        assert group.failures() == {"job": 3}
        assert await group.settle(1)
        assert [context for context in said if isinstance(context.get("exception"), OSError)] == []
        group.reset_failures()

    broken, root = Broken(), logging.getLogger()
    root.addHandler(broken)
    try:
        told(story)
    finally:
        root.removeHandler(broken)


def test_row_16_records_carry_the_names(caplog: pytest.LogCaptureFixture) -> None:
    async def story(clock: FakeClock) -> None:
        group = TrackedTaskGroup("shop").open()
        group.spawn(failing(ValueError()), name="mail")
        group.create_task(stubborn(60), name="ledger")
        await turns()
        await group.drain(deadline=5)
        group.reset_failures()

    with caplog.at_level(logging.DEBUG):
        virtual(story)
    records = [vars(record) for record in caplog.records if record.name == "pytest_taskleak.groups"]
    events = {record["event"]: record for record in records}
    assert list(events) == [
        "task_failed_alone",
        "drain_started",
        "drain_cancelled",
        "drain_stuck",
        "drain_ended",
    ]
    assert events["task_failed_alone"]["task"] == "mail"
    assert "test_tracker.py:" in events["task_failed_alone"]["born"]
    assert events["task_failed_alone"]["exc_info"][0] is ValueError
    assert events["drain_started"]["tasks"] == events["drain_cancelled"]["tasks"] == ["ledger"]
    assert "ledger" in events["drain_stuck"]["tasks"][0]
    assert events["drain_ended"]["stats"].stuck == 1


COST = """
import asyncio, gc, math, time
from pytest_taskleak import TrackedTaskGroup

async def nothing():
    pass

async def seconds(group):
    gc.collect()
    began = time.process_time()
    async with group:
        for _ in range(10_000):
            group.create_task(nothing())
    return (time.process_time() - began) / 10_000

async def main():
    plain = tracked = math.inf
    for _ in range(7):
        plain = min(plain, await seconds(asyncio.TaskGroup()))
        tracked = min(tracked, await seconds(TrackedTaskGroup()))
    print(tracked - plain)

gc.disable()
asyncio.run(main())
"""


def test_row_17_ten_thousand_tasks_cost_little() -> None:
    done = subprocess.run([sys.executable, "-c", COST], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 5e-6
