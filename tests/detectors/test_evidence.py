"""What do the record of a task and the code that made it tell of the reason why it was left?"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from types import CodeType, MethodType
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_, evidence
from pytest_taskleak.adapt.waits import wait_of
from pytest_taskleak.adapt.ways import repeats

Loop = asyncio.AbstractEventLoop
EAGER = getattr(asyncio, "eager_task_factory", None)
STAY = [True]
"""Emptied when the tasks are to end after all."""


async def never() -> None:
    await asyncio.get_running_loop().create_future()


def started(loop: Loop, coro: Any, turns: int = 4) -> asyncio.Task[Any]:
    """Start a task and let it come to its wait."""
    task: asyncio.Task[Any] = loop.create_task(coro)
    asyncio_.turn(loop, turns)
    return task


# --- loops of code --------------------------------------------------------------------------------


async def no_loop() -> None:
    await never()


async def endless() -> None:
    while True:
        await never()


async def conditional() -> None:
    while STAY:
        await never()


async def in_condition() -> None:
    async def more() -> bool:
        await never()
        return True

    while await more():
        pass


async def in_for() -> None:
    for _ in range(3):
        await never()


async def in_for_in_while() -> None:
    while True:
        for _ in range(3):
            await never()


async def retries_some_times() -> None:
    for _ in range(3):
        try:
            await never()
        except ValueError:
            continue


async def in_async_for() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await never()
            yield number

    async for _ in numbers():
        pass


async def in_block_in_loop() -> None:
    while True:
        with contextlib.suppress(ValueError):
            async with asyncio.Lock():
                if STAY:
                    await never()


async def in_handler_in_loop() -> None:
    while True:
        try:
            raise ValueError
        except ValueError:
            await never()


async def before_loop() -> None:
    await never()
    for _ in range(3):
        pass


async def after_loop() -> None:
    for _ in range(3):
        pass
    await never()


async def in_orelse() -> None:
    for _ in range(3):
        pass
    else:  # noqa: PLW0120 -- what is shown
        await never()


async def after_break() -> None:
    while True:
        if STAY:
            break
    await never()


async def beside_comprehension() -> None:
    numbers = [number for number in range(3)]  # noqa: C416 -- a loop of its own
    await never()
    del numbers


async def after_handler() -> None:
    try:
        raise ValueError
    except ValueError:
        pass
    await never()


async def after_block() -> None:
    with contextlib.suppress(ValueError):
        raise ValueError
    async with contextlib.AsyncExitStack():
        await asyncio.sleep(0)
    await never()


async def before_and_after_handlers() -> None:
    for _ in range(2):
        with contextlib.suppress(ValueError):
            raise ValueError
    try:
        await never()
    except ValueError:
        for _ in range(2):
            await asyncio.sleep(0)
    finally:
        for _ in range(2):
            await asyncio.sleep(0)


async def in_loop_of_handler() -> None:
    try:
        raise ValueError
    except ValueError:
        while STAY:
            await never()


async def retries() -> None:
    while True:
        try:
            await never()
        except ValueError:
            continue
        else:
            break


async def once_then_break() -> None:
    for _ in range(3):
        await never()
        break


async def returns_at_once() -> None:
    while True:
        await never()
        return


async def nested_loops() -> None:
    for _ in range(2):
        for _ in range(2):
            pass
        await never()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (after_handler, False),
        (after_block, False),
        (before_and_after_handlers, False),
        (in_loop_of_handler, True),
        (retries, True),
        (once_then_break, False),
        (returns_at_once, False),
        (nested_loops, False),
        (no_loop, False),
        (endless, True),
        (conditional, True),
        (in_condition, True),
        (in_for, False),
        (in_for_in_while, True),
        (retries_some_times, False),
        (in_async_for, True),
        (in_block_in_loop, True),
        (in_handler_in_loop, True),
        (before_loop, False),
        (after_loop, False),
        (in_orelse, False),
        (after_break, False),
        (beside_comprehension, False),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_in_loop(loop: Loop, body: Callable[[], Any], found: bool) -> None:
    task = started(loop, body())
    assert evidence.in_loop(task, body.__code__) is found


def test_a_loop_of_the_caller_is_not_that_of_the_code(loop: Loop) -> None:
    async def inner() -> None:
        await never()

    async def outer() -> None:
        while True:
            await inner()

    task = started(loop, outer())
    assert evidence.in_loop(task, outer.__code__)
    assert not evidence.in_loop(task, inner.__code__)
    assert not evidence.in_loop(task, None)
    assert not evidence.in_loop(task, test_in_loop.__code__)


def test_the_code_that_waits_is_asked(loop: Loop) -> None:
    async def consume(jobs: asyncio.Queue[int]) -> None:
        while True:
            await jobs.get()

    task = started(loop, consume(asyncio.Queue()))
    assert evidence.in_loop(task, wait_of(task).code)


def test_a_place_before_the_code() -> None:
    assert not repeats(endless.__code__, -1)


# --- the record of a task ---------------------------------------------------------------------------


def test_begun(loop: Loop) -> None:
    task = loop.create_task(never())
    assert not evidence.begun(task)
    asyncio_.turn(loop)
    assert evidence.begun(task)


@pytest.mark.skipif(EAGER is None, reason="eager tasks came with 3.12")
def test_an_eager_task_has_begun(loop: Loop) -> None:
    loop.set_task_factory(EAGER)

    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(never())

    assert evidence.begun(loop.run_until_complete(main()))


def test_a_generator_as_a_task(loop: Loop) -> None:
    """Of what is no coroutine it is not known whether it has begun, and nothing is claimed."""

    async def numbers() -> AsyncIterator[int]:
        await never()
        yield 1

    stream = numbers()
    task: asyncio.Task[int] = loop.create_task(anext(stream))  # type: ignore[arg-type]  # that is what some libraries do
    assert evidence.begun(task)
    asyncio_.turn(loop, 2)
    assert not evidence.in_loop(task, None)
    assert not evidence.cleans_up(task)
    task.cancel()
    asyncio_.turn(loop, 3)


def test_cancellations(loop: Loop) -> None:
    async def stubborn() -> None:
        while STAY:
            with contextlib.suppress(asyncio.CancelledError):
                await never()

    task = started(loop, stubborn())
    assert evidence.cancellations(task) == 0
    for count in (1, 2):
        task.cancel()
        asyncio_.turn(loop, 2)
        assert evidence.cancellations(task) == count
    task.uncancel()
    assert evidence.cancellations(task) == 1
    STAY.clear()
    task.cancel()
    asyncio_.turn(loop, 2)
    STAY.append(True)
    assert task.done()


def test_a_class_of_tasks_without_a_count() -> None:
    assert evidence.cancellations(object()) == 0


async def in_finally() -> None:
    try:
        await never()
    finally:
        await never()


async def in_except() -> None:
    try:
        await never()
    except asyncio.CancelledError:
        await never()
        raise


async def in_exit() -> None:
    async with cleaning():
        await never()


@contextlib.asynccontextmanager
async def cleaning() -> AsyncIterator[None]:
    try:
        yield
    finally:
        await never()


async def goes_on() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await never()
    await never()


@pytest.mark.parametrize(
    ("body", "found"),
    [(in_finally, True), (in_except, True), (in_exit, True), (goes_on, False)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_cleans_up(loop: Loop, body: Callable[[], Any], found: bool) -> None:
    task = started(loop, body())
    assert not evidence.cleans_up(task)
    task.cancel()
    asyncio_.turn(loop, 3)
    assert not task.done()
    assert evidence.cleans_up(task) is found


# --- races -----------------------------------------------------------------------------------------


async def fail() -> None:
    raise ValueError("the producer")


async def gathered(*bodies: Callable[[], Awaitable[None]], wait: bool = True) -> list[asyncio.Task[Any]]:
    """Gather tasks; a failure is asked for."""
    tasks: list[asyncio.Task[Any]] = [asyncio.ensure_future(body()) for body in bodies]
    outer = asyncio.gather(*tasks)
    if wait:
        await asyncio.wait([outer])
        outer.exception()
    else:
        GATHERED.append(outer)
    return tasks


GATHERED: list[asyncio.Future[Any]] = []


def test_a_gather_that_has_failed(loop: Loop) -> None:
    left, failed = loop.run_until_complete(gathered(never, fail))
    assert [outer.done() for outer in evidence.gathers(left)] == [True]
    assert evidence.lost_race(left, ()) == "asyncio.gather()"
    assert evidence.failed_beside(left)
    assert evidence.has_failed(failed)
    assert not evidence.has_failed(left)


def test_a_gather_under_way(loop: Loop) -> None:
    left, other = loop.run_until_complete(gathered(never, never, wait=False))
    assert [outer.done() for outer in evidence.gathers(left)] == [False]
    assert evidence.lost_race(left, ()) == ""
    assert not evidence.failed_beside(left)
    GATHERED.pop().cancel()
    asyncio_.turn(loop, 4)
    assert left.cancelled()
    assert other.cancelled()


def test_no_gather(loop: Loop) -> None:
    task = started(loop, never())
    task.add_done_callback(lambda _: None)
    task.add_done_callback(functools.partial(print, end=""))
    assert list(evidence.gathers(task)) == []
    assert not evidence.failed_beside(task)


def test_a_function_of_the_user_that_is_called_gather(loop: Loop) -> None:
    """Its closure is not looked into."""

    def gather(outer: Any) -> Callable[[Any], None]:
        return lambda _: outer and None

    task = started(loop, never())
    done: asyncio.Future[None] = loop.create_future()
    done.set_result(None)
    task.add_done_callback(gather(done))
    assert evidence.lost_race(task, ()) == ""


def test_to_have_failed_is_not_to_be_asked(loop: Loop) -> None:
    """The look must not hide an exception that nobody retrieves."""
    task = loop.create_task(fail())
    asyncio_.turn(loop, 2)
    assert evidence.has_failed(task)
    assert task._log_traceback is True
    assert task.exception() is not None


def test_a_cancelled_task_has_not_failed(loop: Loop) -> None:
    task = started(loop, never())
    task.cancel()
    asyncio_.turn(loop, 2)
    assert not evidence.has_failed(task)


async def first(tasks: Any) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def first_failure(tasks: Any) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)


async def each(tasks: Any) -> None:
    for task in asyncio.as_completed(tasks):
        await task


async def everything(tasks: Any) -> None:
    await asyncio.wait(tasks, return_when=asyncio.ALL_COMPLETED)


@pytest.mark.parametrize(
    ("births", "race"),
    [
        ([first], "asyncio.wait()"),
        ([first_failure], "asyncio.wait()"),
        ([each], "asyncio.as_completed()"),
        ([everything], ""),
        ([never, each, first], "asyncio.as_completed()"),
        ([], ""),
    ],
)
def test_races_of_the_code_that_made_it(loop: Loop, births: list[Any], race: str) -> None:
    codes: list[CodeType] = [function.__code__ for function in births]
    assert evidence.lost_race(started(loop, never()), codes) == race


# --- who ends it --------------------------------------------------------------------------------------


class Closes:
    def close(self) -> None: ...


class ClosesBoth(Closes):
    async def aclose(self) -> None: ...


class Stops:
    async def stop(self) -> None: ...

    def close(self) -> None: ...


class Inherits(Stops):
    """Has what its base has."""


class Lazy:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


class Hidden:
    """Has no method of its own: an attribute, a property and a builtin are called differently."""

    close = len
    aclose = property(lambda self: self)

    def __init__(self) -> None:
        self.stop = lambda: None


class OldStyle:
    @staticmethod
    def nothing() -> None: ...

    def cancel(self) -> Generator[None, None, None]:
        yield


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Closes, ("close", False)),
        (ClosesBoth, ("aclose", True)),
        (Stops, ("stop", True)),
        (Inherits, ("stop", True)),
        (Lazy, ("", False)),
        (Hidden, ("", False)),
        (OldStyle, ("cancel", False)),
        (object, ("", False)),
    ],
)
def test_closer(kind: type, found: tuple[str, bool]) -> None:
    assert evidence.closer_of(kind()) == found


class Flag:
    def __init__(self, **names: object) -> None:
        self.__dict__.update(names)


class Slotted:
    __slots__ = ("_closed",)

    def __init__(self, *, closed: bool) -> None:
        self._closed = closed


class Property:
    asked = False

    @property
    def closed(self) -> bool:
        type(self).asked = True
        return True


def test_is_closed() -> None:
    closed: list[object] = [Flag(closed=True), Flag(_closing=True), Flag(_stopped=True), Slotted(closed=True)]
    closed.append(Flag(closed=False, _closing=True))
    assert all(map(evidence.is_closed, closed))
    others: list[object] = [
        Flag(),
        Flag(closed=False),
        Flag(closed=1),
        Flag(closed="yes"),
        Lazy(),
        Property(),
    ]
    others.append(Slotted(closed=False))
    assert not any(map(evidence.is_closed, others))
    assert not Property.asked


# --- timers -----------------------------------------------------------------------------------------------


class Ticker:
    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def tick(self) -> None:
        self.loop.call_later(1, self.tick)

    def at(self, when: float) -> None:
        self.loop.call_at(when, self.at, when + 1)

    def once(self) -> None: ...

    def __call__(self) -> None:
        self.tick()


def test_rearms(loop: Loop) -> None:
    ticker = Ticker(loop)
    assert evidence.rearms(ticker.tick)
    assert evidence.rearms(ticker.at)
    assert evidence.rearms(functools.partial(ticker.at, 1.0))
    assert evidence.rearms(functools.partial(functools.partial(Ticker.tick, ticker)))
    assert evidence.rearms(lambda: loop.call_later(1, print))
    assert not evidence.rearms(ticker.once)
    assert not evidence.rearms(print)
    assert not evidence.rearms(None)
    assert not evidence.rearms(ticker)
    assert not evidence.rearms(MethodType(print, ticker))
    assert not evidence.rearms(Lazy())
