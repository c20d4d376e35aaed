"""Is every task asked to end, even in a circle or at the end of a long chain, and nothing recurses?"""

from __future__ import annotations

import asyncio
import gc
import importlib
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_, cancelling, spinning

Task = asyncio.Task[Any]
Loop = asyncio.AbstractEventLoop
Make = Callable[[Loop], list[Task]]
LONG = 3000


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    """Return a loop that is turned by hand; its handler of exceptions must not be called."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    made: Loop = importlib.import_module(request.param).new_event_loop()
    told: list[Any] = []
    made.set_exception_handler(lambda _, context: told.append(context))
    yield made
    gc.collect()
    asyncio_.turn(made, 2)
    made.close()
    assert told == []


def ring(size: int, *, gathers: int = 0, exceptions: bool = False) -> Make:
    """Return what makes tasks that await each other in a circle, the first ones through `gather`."""

    def make(loop: Loop) -> list[Task]:
        tasks: list[Task] = []

        async def member(number: int) -> None:
            after = tasks[(number + 1) % size]
            if number < gathers:
                await asyncio.gather(after, asyncio.sleep(3600), return_exceptions=exceptions)
            else:
                await after

        tasks += [loop.create_task(member(number)) for number in range(size)]
        return tasks

    return make


def chain(size: int, *, backwards: bool = False) -> Make:
    """Return what makes tasks of which each awaits the next one, the last one a future."""

    def make(loop: Loop) -> list[Task]:
        async def last() -> None:
            await loop.create_future()

        async def member(after: Task) -> None:
            await after

        tasks = [loop.create_task(last())]
        for _ in range(size - 1):
            tasks.append(loop.create_task(member(tasks[-1])))
        return tasks if backwards else tasks[::-1]

    return make


def ladder(size: int) -> Make:
    """Return what makes tasks that reach the next one on two ways each."""

    def make(loop: Loop) -> list[Task]:
        async def last() -> None:
            await loop.create_future()

        async def side(after: Task) -> None:
            await after

        async def rung(after: Task) -> None:
            await asyncio.gather(side(after), side(after))

        tasks = [loop.create_task(last())]
        for _ in range(size):
            tasks.append(loop.create_task(rung(tasks[-1])))
        return tasks[::-1]

    return make


WAYS = {
    "itself": ring(1, gathers=1),
    "two": ring(2),
    "three": ring(3),
    "hundred": ring(100),
    "gather": ring(2, gathers=1),
    "gathers": ring(2, gathers=2),
    "gathered exceptions": ring(3, gathers=1, exceptions=True),
    "chain": chain(LONG),
    "chain, its end first": chain(LONG, backwards=True),
    "ladder": ladder(40),
}
each_way = pytest.mark.parametrize("make", WAYS.values(), ids=list(WAYS))


@each_way
@pytest.mark.parametrize("all_of_them", [False, True], ids=["first", "all"])
def test_all_end_cancelled(loop: Loop, make: Make, all_of_them: bool) -> None:
    tasks = make(loop)
    asyncio_.turn(loop, 3)
    asked: set[int] = set()
    for task in tasks if all_of_them else tasks[:1]:
        assert cancelling.cancel(task, asked if all_of_them else None)
    asyncio_.turn(loop, len(tasks) + 2)
    asyncio_.turn(loop, 2 * len(tasks) + 2)
    assert {task.cancelled() for task in tasks} == {True}


def test_asked_twice_before_the_loop_turns(loop: Loop) -> None:
    tasks = ring(2)(loop)
    asyncio_.turn(loop, 3)
    for task in tasks * 2:
        assert cancelling.cancel(task)
    asyncio_.turn(loop, 6)
    assert all(task.cancelled() for task in tasks)


def test_cleanup_runs_in_the_context_of_its_task(loop: Loop) -> None:
    var: ContextVar[str] = ContextVar("var", default="none")
    seen: list[str] = []
    tasks: list[Task] = []

    async def member(number: int) -> None:
        var.set(f"of {number}")
        try:
            await tasks[1 - number]
        finally:
            await asyncio.sleep(0)
            seen.append(var.get())

    tasks += [loop.create_task(member(number)) for number in range(2)]
    asyncio_.turn(loop, 3)
    cancelling.cancel(tasks[0])
    asyncio_.turn(loop, 8)
    assert sorted(seen) == ["of 0", "of 1"]


def test_an_ordinary_task_is_cancelled_by_its_own_method(loop: Loop) -> None:
    (task,) = chain(1)(loop)
    asyncio_.turn(loop, 2)
    assert cancelling.cancel(task)
    assert task.cancelling() == 1
    asyncio_.turn(loop, 2)
    assert not cancelling.cancel(task), "it is done"


def test_a_circle_is_named(loop: Loop) -> None:
    tasks = ring(3, gathers=1)(loop)
    asyncio_.turn(loop, 3)
    assert cancelling.cycle_of(tasks[1]) == [tasks[1], tasks[2], tasks[0]]
    cancelling.cancel(tasks[0])
    asyncio_.turn(loop, 8)
    assert cancelling.cycle_of(tasks[1]) == []


# --- steps that do not end ------------------------------------------------------------------------


async def around_shield() -> None:
    """Await what is cancelled, over and over."""
    inner = asyncio.ensure_future(asyncio.sleep(3600))
    while True:  # HERE
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            inner.cancel()


async def in_a_helper() -> None:
    """Compute for ever when cancelled."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        numbers = [3, 2, 1]
        while True:  # HERE
            numbers.sort()


async def catches_everything() -> None:
    """Let no exception out of the loop's body."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        numbers = [3, 2, 1]
        while True:  # HERE
            try:
                numbers.sort()
            except BaseException:  # noqa: BLE001, S112 -- what is shown
                continue


def here(function: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Return the line of a function that is marked."""
    import inspect

    lines, first = inspect.getsourcelines(function)
    return first + next(n for n, line in enumerate(lines) if "# HERE" in line)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step count as endless sooner."""
    monkeypatch.setattr(spinning, "PATIENCE", 0.05)
    monkeypatch.setattr(spinning, "PERIOD", 0.01)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("spin", [around_shield, in_a_helper, catches_everything])
def test_a_spinning_task_is_stopped(loop: Loop, spin: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = loop.create_task(spin())
    asyncio_.turn(loop, 3)
    with spinning.Guard([task]) as guard:
        assert guard.looks_on
        task.cancel()
        asyncio_.turn(loop, 10)
    assert guard.stopped == [task]
    assert guard.spun[id(task)].line == here(spin)
    assert guard.spun[id(task)].qualname == spin.__name__
    assert isinstance(task.exception(), spinning.Spinning)
    for left in asyncio.all_tasks(loop):
        left.cancel()
    asyncio_.turn(loop, 3)


@pytest.mark.usefixtures("patience")
def test_nobody_else_is_stopped(loop: Loop) -> None:
    """A step of another task may take as long as it likes."""
    import time

    async def busy() -> int:
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass
        return 1

    (watched,) = chain(1)(loop)
    other = loop.create_task(busy())
    with spinning.Guard([watched]) as guard:
        asyncio_.turn(loop, 3)
    assert other.result() == 1
    assert guard.spun == {}
    watched.cancel()
    asyncio_.turn(loop, 2)


@pytest.mark.usefixtures("patience")
def test_a_step_that_blocks_is_not_stopped(loop: Loop) -> None:
    import time

    async def cleans_up() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            time.sleep(0.2)

    task = loop.create_task(cleans_up())
    asyncio_.turn(loop, 2)
    with spinning.Guard([task]) as guard:
        task.cancel()
        asyncio_.turn(loop, 3)
    assert task.cancelled()
    assert guard.spun == {}


def test_nobody_looks_on_where_there_is_nothing_to_see(loop: Loop) -> None:
    with spinning.Guard([]) as guard:
        assert not guard.looks_on
    (task,) = chain(1)(loop)
    task.cancel()
    asyncio_.turn(loop, 2)
    with spinning.Guard([task]) as guard:
        assert not guard.looks_on


def test_the_thread_that_looks_on_is_gone(loop: Loop) -> None:
    import threading

    (task,) = chain(1)(loop)
    with spinning.Guard([task]) as guard:
        thread = guard.thread
        assert thread in threading.enumerate()
        asyncio_.turn(loop, 3)
    assert thread not in threading.enumerate()
    assert not asyncio_.has_timers(loop)
    task.cancel()
    asyncio_.turn(loop, 2)
