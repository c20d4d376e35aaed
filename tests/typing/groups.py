"""The API of task groups as users write it: read by the type checkers, never run."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Literal, assert_type

from pytest_taskleak import DrainStats, TaskFailure, TaskLimitError, TrackedTaskGroup, fire_and_forget


async def answer(number: int) -> int:
    return number


async def greet(name: str, *, loud: bool = False) -> str:
    return name.upper() if loud else name


def on_error(failure: TaskFailure) -> None:
    assert_type(failure.name, str)
    assert_type(failure.exception, BaseException)
    assert_type(failure.born, str)


def takes_any_group(group: asyncio.TaskGroup) -> None:
    pass


async def blocks() -> None:
    async with TrackedTaskGroup("shop", limit=10, history=5, on_error=on_error) as group:
        assert_type(group, TrackedTaskGroup)
        takes_any_group(group)
        assert_type(group.create_task(answer(7)), asyncio.Task[int])
        assert_type(group.create_task(answer(7), name="answer", background=True), asyncio.Task[int])
        assert_type(group.spawn(greet("a"), name="greet"), asyncio.Task[str])
        assert_type(group.create_task_threadsafe(answer(7)), concurrent.futures.Future[int])
        fates = await group.gather(answer(1), answer(2), names=("a", "b"))
        assert_type(fates[0].unwrap(), int)
        assert_type(fates[0].outcome, Literal["completed", "cancelled", "error"])
        assert_type(fates[0].exception, BaseException | None)
        assert_type(fates[0].result, int | None)
        timer = group.schedule(300, greet, "a", name="follow-up")
        assert_type(timer.when, float)
        timer.cancel()
        async with group.component(object(), deadline=5):
            pass
        group.spawn(7)  # type: ignore[arg-type]
        group.schedule(300, "greet")  # type: ignore[arg-type]
        await group.gather(7)  # type: ignore[arg-type]
    TrackedTaskGroup(on_error=7)  # type: ignore[arg-type]
    TrackedTaskGroup("shop", 10)  # type: ignore[call-arg]


async def components() -> None:
    group = TrackedTaskGroup().open()
    assert_type(group, TrackedTaskGroup)
    assert_type(await group.settle(), bool)
    assert_type(await group.settle(5, cancel_pending=True), bool)
    stats = await group.drain(deadline=5, grace=1, cancel_again=True)
    assert_type(stats, DrainStats)
    assert_type(stats.total, int)
    assert_type(stats.stuck_tasks, tuple[str, ...])
    await group.drain()  # type: ignore[call-arg]
    await group.drain(5)  # type: ignore[call-arg]


def looking(group: TrackedTaskGroup) -> None:
    assert_type(group.failures(), dict[str, int])
    group.assert_failures(max=3)
    group.reset_failures()
    health = group.health(degraded_from=10)
    assert_type(health.status, Literal["ok", "degraded"])
    assert_type(health.total, int)
    assert_type(health.by_task, dict[str, int])
    assert_type(group.tree(), str)
    for task in (*group.tasks(), *group.history()):
        assert_type(task.name, str)
        assert_type(task.born, str)
        assert_type(task.parent, str | None)
        assert_type(task.duration, float)
        assert_type(task.background, bool)


@fire_and_forget
async def notify(user: str, *, times: int = 1) -> int:
    return times


@fire_and_forget(name="mail")
async def mail(user: str) -> None:
    pass


def decorated_functions_keep_their_parameters() -> None:
    assert_type(notify("a", times=2), asyncio.Task[int])
    assert_type(mail("a"), asyncio.Task[None])
    notify(7)  # type: ignore[arg-type]


def refused(error: TaskLimitError) -> RuntimeError:
    return error
