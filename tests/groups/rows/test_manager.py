"""Rows 62 to 64, tasks known by name: is each one reached, in time, and then forgotten?"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import pytest

from pytest_taskleak import FakeClock, TrackedTaskGroup

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stories import Task, forever, names, stubborn, told, turns, virtual
from twins.manager import TaskManager


class Manager(Protocol):
    """What ours and the twin have in common."""

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str) -> Task: ...

    async def shutdown(self, timeout: float = 5.0) -> object: ...


Make = Callable[[], Manager]


class Ours:
    """A group behind the words of the manager."""

    def __init__(self) -> None:
        self.group = TrackedTaskGroup().open()

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str) -> Task:
        return self.group.create_task(coro, name=name)

    async def shutdown(self, timeout: float = 5.0) -> object:
        return await self.group.drain(deadline=timeout)


def reaches_namesakes(make: Make) -> None:
    async def story(clock: FakeClock) -> None:
        manager = make()
        for _ in range(3):
            manager.create(forever(), name="refresh")
        await turns()
        await manager.shutdown(5)
        assert names() == [], "a task was hidden by its namesake"

    virtual(story)


def test_row_62_tasks_of_one_name_are_all_reached() -> None:
    reaches_namesakes(Ours)
    with pytest.raises(AssertionError, match="hidden by its namesake"):
        reaches_namesakes(TaskManager)


def ends_in_time(make: Make) -> None:
    async def story(clock: FakeClock) -> None:
        manager = make()
        manager.create(stubborn(60), name="stubborn")
        manager.create(forever(), name="meek")
        await turns()
        await manager.shutdown(5)
        assert clock.elapsed <= 5 + 1e-6, "the shutdown took longer than it was given"

    virtual(story)


def test_row_63_a_shutdown_is_bounded_whatever_a_child_does() -> None:
    ends_in_time(Ours)
    with pytest.raises(AssertionError, match="longer than it was given"):
        ends_in_time(TaskManager)


class Result:
    """Something heavy."""


def forgets_results(make: Make) -> None:
    async def story() -> None:
        seen: weakref.WeakSet[Result] = weakref.WeakSet()

        async def work() -> Result:
            result = Result()
            seen.add(result)
            return result

        manager = make()
        for cycle in range(30):
            for number in range(100):
                manager.create(work(), name=f"job-{cycle}-{number}")
            await turns(3)
        gc.collect()
        assert len(seen) == 0, "the results of ended tasks are kept"
        await manager.shutdown(5)

    told(story)


def test_row_64_results_are_not_kept() -> None:
    forgets_results(Ours)
    with pytest.raises(AssertionError, match="results of ended tasks are kept"):
        forgets_results(TaskManager)


def test_row_64_the_history_is_bounded() -> None:
    async def nothing() -> None:
        pass

    async def story() -> None:
        async with TrackedTaskGroup() as group:
            for _ in range(5):
                for _ in range(500):
                    group.create_task(nothing())
                await turns(2)
            assert len(group.history()) == 1000
            assert group.tasks() == ()

    told(story)
