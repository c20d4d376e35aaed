"""What does a task hold, where did it take it, and who holds a lock?"""

# ruff: noqa: SIM117 -- blocks in blocks are what this is about

from __future__ import annotations

import asyncio
import contextlib
import dis
import functools
import gc
import importlib
import sys
import threading
import types
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from types import CodeType, FrameType
from typing import Any, Self
from unittest import mock

import anyio
import pytest

from pytest_taskleak.adapt import asyncio_, holding, with_blocks
from pytest_taskleak.adapt.completing import expression_at
from pytest_taskleak.adapt.links import frames_of
from pytest_taskleak.adapt.value_stack import opened

Loop = asyncio.AbstractEventLoop
EAGER = getattr(asyncio, "eager_task_factory", None)
Gate = asyncio.Future[Any]


@functools.cache
def lines() -> dict[str, int]:
    """Return the lines of this file that end in `# @mark`."""
    with open(__file__, encoding="utf-8") as file:
        marked = [(row.rpartition("# @"), number) for number, row in enumerate(file, 1)]
    return {mark.strip(): number for (_, found, mark), number in marked if found}


@contextlib.contextmanager
def running(loop: Loop, *coros: Coroutine[Any, Any, Any]) -> Iterator[list[asyncio.Task[Any]]]:
    """Run coroutines until they wait, and end them afterwards."""
    tasks = [loop.create_task(coro) for coro in coros]
    asyncio_.turn(loop, 8)
    assert not any(task.done() for task in tasks)
    yield tasks
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks))


def taken(task: asyncio.Task[Any]) -> list[tuple[Any, int]]:
    return [(held.thing, held.line) for held in holding.held_by(task)]


def locks_of(task: asyncio.Task[Any]) -> list[tuple[Any, int]]:
    return [(thing, line) for thing, line in taken(task) if holding.is_lockish(thing)]


def at(*pairs: tuple[Any, str]) -> list[tuple[Any, int]]:
    return [(thing, lines()[mark]) for thing, mark in pairs]


class MyLock(asyncio.Lock):
    """A lock of the user."""


class Looks:
    """Looks like a lock."""

    def locked(self) -> bool:
        return True

    async def acquire(self) -> None: ...

    def release(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture
def gate(loop: Loop) -> Gate:
    return loop.create_future()


# --- with blocks --------------------------------------------------------------------------------


def test_nested_blocks(loop: Loop, gate: Gate) -> None:
    outer, middle, inner = asyncio.Lock(), threading.Lock(), MyLock()

    async def work() -> None:
        async with outer:  # @nested-outer
            with middle:  # @nested-middle
                async with inner:  # @nested-inner
                    await gate

    with running(loop, work()) as (task,):
        assert taken(task) == at((outer, "nested-outer"), (middle, "nested-middle"), (inner, "nested-inner"))


def test_two_items_on_one_line_and_on_two(loop: Loop, gate: Gate) -> None:
    first, second, third, fourth = (asyncio.Lock() for _ in range(4))

    async def work() -> None:
        async with first, second:  # @one-line
            async with (
                third,  # @two-lines-first
                fourth,  # @two-lines-second
            ):
                await gate

    with running(loop, work()) as (task,):
        assert taken(task) == at(
            (first, "one-line"),
            (second, "one-line"),
            (third, "two-lines-first"),
            (fourth, "two-lines-second"),
        )


def test_try_finally_around_and_inside(loop: Loop, gate: Gate) -> None:
    first, second, third = (asyncio.Lock() for _ in range(3))

    async def work() -> None:
        try:
            async with first:  # @try-first
                try:
                    raise OSError
                except OSError:
                    async with second:  # @try-second
                        raise KeyError from None
                finally:
                    async with third:  # @try-third
                        await gate
        finally:
            await asyncio.sleep(0)

    with running(loop, work()) as (task,):
        assert taken(task) == at((first, "try-first"), (third, "try-third"))


def test_loops_and_expressions_around(loop: Loop, gate: Gate) -> None:
    first, second = asyncio.Lock(), asyncio.Lock()

    async def work() -> None:
        for _ in [1, 2]:
            for _ in range(2):
                async with first:  # @loop-first
                    for _ in ("x" for _ in "ab"):
                        while True:
                            async with second:  # @loop-second
                                found = [1, *[await gate for _ in "ab"], [lambda: first]]
                            assert found

    with running(loop, work()) as (task,):
        assert taken(task) == at((first, "loop-first"), (second, "loop-second"))


def test_ended_block_is_not_held(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    async def work() -> None:
        async with lock:
            await asyncio.sleep(0)
        await gate

    with running(loop, work()) as (task,):
        assert taken(task) == []
        assert holding.holders(lock, [task]) == ([], True)


def test_methods_in_variables_are_not_held(loop: Loop, gate: Gate) -> None:
    lock, other = asyncio.Lock(), asyncio.Lock()

    async def work() -> None:
        leave, owner = type(other).__aexit__, other
        bound = other.__aexit__
        async with lock:  # @only
            await asyncio.sleep(0)
            await gate
        del leave, owner, bound

    with running(loop, work()) as (task,):
        assert taken(task) == at((lock, "only"))


def test_closures_and_unset_variables(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    async def work(first: int, second: int, *, third: int = 0) -> None:
        if first > 100:
            unset = first
        del second
        async with lock:  # @cells
            later = [lambda: (first, third, item, late) for item in "ab"]  # noqa: B023
            await gate
            late: Any = unset, later

    with running(loop, work(1, 2)) as (task,):
        assert taken(task) == at((lock, "cells"))


def test_mocks_do_not_hide_their_neighbours(loop: Loop, gate: Gate) -> None:
    first, second, third = asyncio.Lock(), asyncio.Lock(), threading.Lock()

    async def work() -> None:
        async with mock.MagicMock(), first, mock.AsyncMock():  # @mock-first
            async with second:  # @mock-second
                with mock.MagicMock(), contextlib.nullcontext(), third:  # @mock-third
                    await gate

    with running(loop, work()) as (task,):
        assert locks_of(task) == at((first, "mock-first"), (second, "mock-second"), (third, "mock-third"))


def test_task_groups_and_timeouts_are_told_too(loop: Loop, gate: Gate) -> None:
    async def work() -> None:
        async with asyncio.timeout(3600), asyncio.TaskGroup():  # @scopes
            await gate

    with running(loop, work()) as (task,):
        assert [(type(x), line) for x, line in taken(task)] == at(
            (asyncio.Timeout, "scopes"), (asyncio.TaskGroup, "scopes")
        )


# --- entering and leaving -----------------------------------------------------------------------


def test_entering_is_not_holding(loop: Loop, gate: Gate) -> None:
    first, second = asyncio.Lock(), asyncio.Lock()

    async def hold() -> None:
        async with second:  # @holder
            await gate

    async def want() -> None:
        async with first, second:  # @waiter
            await gate

    with running(loop, hold(), want()) as (holder, waiter):
        assert taken(waiter) == at((first, "waiter"))
        found, complete = holding.holders(second, [holder, waiter])
        assert [(task, held.line) for task, held in found] == [(holder, lines()["holder"])]
        assert complete


class Slow:
    """Takes long to leave."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None:
        await self.gate


@pytest.mark.parametrize("fail", [False, True])
def test_leaving_is_not_holding(loop: Loop, gate: Gate, fail: bool) -> None:
    lock = asyncio.Lock()

    async def work() -> None:
        with contextlib.suppress(OSError):  # @suppress
            async with lock:  # @leaving
                async with Slow(gate):
                    if fail:
                        raise OSError

    with running(loop, work()) as (task,):
        assert locks_of(task) == at((lock, "leaving"))
        assert [line for _, line in taken(task)] == [lines()["suppress"], lines()["leaving"]]


def test_lock_order(loop: Loop) -> None:
    one, two = asyncio.Lock(), asyncio.Lock()

    async def work(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:  # @order
            await asyncio.sleep(0)
            async with second:
                pass

    with running(loop, work(one, two), work(two, one)) as tasks:
        for lock, task in zip((one, two), tasks, strict=True):
            [(owner, held)], complete = holding.holders(lock, tasks)
            assert (owner, held.line, complete) == (task, lines()["order"], True)


# --- managers that hold for the task ------------------------------------------------------------


@contextlib.asynccontextmanager
async def helper(lock: asyncio.Lock) -> AsyncIterator[None]:
    async with lock:  # @helper
        yield


@contextlib.contextmanager
def plain_helper(lock: Any) -> Iterator[None]:
    with lock:  # @plain-helper
        yield


@contextlib.asynccontextmanager
async def twice_removed(lock: asyncio.Lock) -> AsyncIterator[None]:
    async with helper(lock):
        yield


def test_generator_based_managers(loop: Loop, gate: Gate) -> None:
    first, second, third = asyncio.Lock(), threading.Lock(), asyncio.Lock()

    async def work() -> None:
        async with helper(first):  # @use
            with plain_helper(second):
                async with twice_removed(third):
                    await gate

    with running(loop, work()) as (task,):
        assert locks_of(task) == at((first, "helper"), (second, "plain-helper"), (third, "helper"))
        [held] = [x for x in holding.held_by(task) if x.thing is first]
        assert held.code.co_name == "helper"
        assert held.through is not None
        assert (held.through.line, held.through.code.co_name) == (lines()["use"], "work")


def test_helper_that_is_entering(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        async with lock:  # @slow
            await gate
            yield

    async def work() -> None:
        async with slow():
            pass

    with running(loop, work()) as (task,):
        assert taken(task) == at((lock, "slow"))


def test_exit_stacks(loop: Loop, gate: Gate) -> None:
    first, second, third, fourth = asyncio.Lock(), threading.Lock(), asyncio.Lock(), asyncio.Lock()

    async def work() -> None:
        async with contextlib.AsyncExitStack() as stack:  # @stack
            await stack.enter_async_context(first)
            stack.enter_context(second)
            await third.acquire()
            stack.callback(third.release)
            await stack.enter_async_context(helper(fourth))
            stack.push_async_callback(asyncio.sleep, 0)
            await gate

    with running(loop, work()) as (task,):
        expected = at((first, "stack"), (second, "stack"), (third, "stack"), (fourth, "helper"))
        assert locks_of(task) == expected
        assert holding.holders(third, [task])[1]


def test_exit_stack_that_is_leaving(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    async def work() -> None:
        async with contextlib.AsyncExitStack() as stack:  # @leaving-stack
            await stack.enter_async_context(lock)
            await stack.enter_async_context(Slow(gate))

    with running(loop, work()) as (task,):
        assert locks_of(task) == at((lock, "leaving-stack"))


def test_class_of_the_user(loop: Loop, gate: Gate) -> None:
    first, second = asyncio.Lock(), asyncio.Lock()

    class Transaction:
        def __init__(self) -> None:
            self.lock, self.stack, self.unused = first, contextlib.AsyncExitStack(), asyncio.Lock()

        async def __aenter__(self) -> None:
            await self.lock.acquire()  # @inside
            await self.stack.enter_async_context(second)

        async def __aexit__(self, *_: object) -> None:
            await self.stack.aclose()
            self.lock.release()
            del self.unused

    async def work() -> None:
        async with Transaction():  # @transaction
            await gate

    with running(loop, work()) as (task,):
        assert sorted(locks_of(task), key=lambda pair: pair[0] is second) == at(
            (first, "inside"), (second, "transaction")
        )
        [(_, held)], complete = holding.holders(first, [task])
        assert (held.certain, complete) == (False, False)
        [(owner, held)], complete = holding.holders(second, [task])
        assert (owner, held.certain, complete) == (task, False, False)


# --- along the chain ----------------------------------------------------------------------------


async def numbers(lock: asyncio.Lock) -> AsyncGenerator[int]:
    async with lock:  # @numbers
        for number in range(9):
            yield number


def letters(lock: Any) -> Generator[str]:
    with lock:  # @letters
        yield from "abc"


def test_across_coroutines(loop: Loop, gate: Gate) -> None:
    outer, inner = asyncio.Lock(), asyncio.Lock()

    async def work() -> None:
        async with outer:  # @chain-outer
            await deeper()

    async def deeper() -> None:
        async with inner:  # @chain-inner
            await legacy()

    @types.coroutine
    def legacy() -> Iterator[Any]:
        yield from gate

    with running(loop, work()) as (task,):
        assert taken(task) == at((outer, "chain-outer"), (inner, "chain-inner"))


def test_across_generators_that_are_iterated(loop: Loop, gate: Gate) -> None:
    first, second, third, fourth = asyncio.Lock(), threading.Lock(), asyncio.Lock(), asyncio.Lock()

    async def work() -> None:
        async with contextlib.aclosing(numbers(first)) as generator:
            async for _ in generator:
                with contextlib.closing(letters(second)) as letter:
                    for _ in letter:
                        async with third:  # @in-loops
                            await anext(later())

    async def later() -> AsyncIterator[int]:
        async with fourth:  # @later
            await gate
            yield 1

    with running(loop, work()) as (task,):
        assert locks_of(task) == at(
            (first, "numbers"), (second, "letters"), (third, "in-loops"), (fourth, "later")
        )
        for lock in (first, third, fourth):
            assert holding.holders(lock, [task])[1]


def test_two_tasks_through_one_gather(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    async def child() -> None:
        async with lock:
            await gate

    async def parent() -> None:
        await asyncio.gather(child(), asyncio.shield(gate))

    with running(loop, parent()) as (task,):
        assert taken(task) == [], "what a child holds is the child's"


# --- conditions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [asyncio.Condition, anyio.Condition])
def test_condition(loop: Loop, gate: Gate, make: Callable[[], Any]) -> None:
    condition = make()

    async def hold() -> None:
        async with condition:  # @condition
            await gate

    async def wait() -> None:
        async with condition:
            await condition.wait()

    with running(loop, wait(), hold()) as (waiter, holder):
        assert taken(waiter) == []
        assert taken(holder) == at((condition, "condition"))
        for thing in (condition, holding.core_of(condition)):
            [(owner, held)], complete = holding.holders(thing, [waiter, holder])
            assert (owner, held.line, complete) == (holder, lines()["condition"], True)


def test_condition_with_a_shared_lock(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()
    one, two = asyncio.Condition(lock), asyncio.Condition(lock)

    async def work() -> None:
        async with one:  # @shared
            await gate

    async def wait() -> None:
        async with two:
            await two.wait_for(lambda: False)

    with running(loop, wait(), work()) as tasks:
        for thing in (lock, one, two):
            [(owner, held)], complete = holding.holders(thing, tasks)
            assert (owner, held.line, complete) == (tasks[1], lines()["shared"], True)


# --- who holds, and is that all -----------------------------------------------------------------


def test_permit_in_a_permit(loop: Loop, gate: Gate) -> None:
    permits, plain = asyncio.BoundedSemaphore(2), asyncio.Semaphore(2)

    async def work() -> None:
        async with plain, permits:  # @permit-first
            async with permits:  # @permit-second
                async with permits:
                    await gate

    with running(loop, work()) as (task,):
        found, complete = holding.holders(permits, [task])
        assert [held.line for _, held in found] == [lines()["permit-first"], lines()["permit-second"]]
        assert complete
        [(owner, _)], complete = holding.holders(plain, [task])
        assert (owner, complete) == (task, False), "a plain semaphore forgets how many permits it had"


def test_bare_acquire_leaves_no_trace(loop: Loop, gate: Gate) -> None:
    lock, permits = asyncio.Lock(), asyncio.BoundedSemaphore(2)

    async def work() -> None:
        await lock.acquire()
        await permits.acquire()
        async with permits:
            await gate

    with running(loop, work()) as (task,):
        assert holding.holders(lock, [task]) == ([], False)
        found, complete = holding.holders(permits, [task])
        assert (len(found), complete) == (1, False)


def test_released_in_its_own_block(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    async def work() -> None:
        async with lock:
            lock.release()
            try:
                await gate
            finally:
                await lock.acquire()

    with running(loop, work()) as (task,):
        assert taken(task) == []
        assert holding.holders(lock, [task]) == ([], True)


def test_anyio_knows_its_owners(loop: Loop, gate: Gate) -> None:
    made: list[Any] = []

    async def work() -> None:
        lock, bare = anyio.Lock(), anyio.Lock()
        permits, unbound = anyio.Semaphore(2, max_value=2), anyio.Semaphore(3)
        limiter = anyio.CapacityLimiter(2)
        made.extend([lock, bare, permits, unbound, limiter])
        await bare.acquire()
        async with lock, permits, unbound:  # @anyio
            async with permits, limiter:  # @anyio-inner
                await gate

    with running(loop, work()) as (task,):
        lock, _, permits, unbound, limiter = made
        outer, inner = lines()["anyio"], lines()["anyio-inner"]
        told = {id(x): holding.holders(x, [task]) for x in made}
        told_lines = [[held.line for _, held in told[id(x)][0]] for x in made]
        assert told_lines == [[outer], [0], [outer, inner], [outer], [inner]]
        assert [told[id(x)][1] for x in made] == [True, True, True, False, True]
        assert all(owner is task for found, _ in told.values() for owner, _ in found)
        assert [thing for thing, _ in locks_of(task)] == [lock, permits, unbound, permits, limiter]


def test_anyio_lock_made_outside_of_a_loop(loop: Loop, gate: Gate) -> None:
    lock, limiter = anyio.Lock(), anyio.CapacityLimiter(1)

    async def work() -> None:
        async with lock, limiter:  # @adapter
            await gate

    with running(loop, work()) as (task,):
        assert taken(task) == at((lock, "adapter"), (limiter, "adapter"))
        for thing in (lock, limiter):
            [(owner, held)], complete = holding.holders(thing, [])
            assert (owner, held.line, complete) == (task, lines()["adapter"], True)


def test_borrowed_on_behalf_of_something(loop: Loop, gate: Gate) -> None:
    made: list[anyio.CapacityLimiter] = []

    async def work() -> None:
        limiter = anyio.CapacityLimiter(2)
        made.append(limiter)
        await limiter.acquire_on_behalf_of("job")
        await gate

    with running(loop, work()) as (task,):
        assert holding.holders(made[0], [task]) == ([], False)


def test_a_look_that_remembers(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()
    looked: list[Any] = []

    async def work() -> None:
        async with lock:
            await gate

    def look(task: Any) -> list[holding.Held]:
        looked.append(task)
        return holding.held_by(task)

    with running(loop, work()) as (task,):
        assert len(holding.holders(lock, [task], look)[0]) == 1
        assert looked == [task]


LOCKISH = [
    *(
        asyncio.Lock,
        asyncio.Condition,
        lambda: asyncio.Semaphore(1),
        lambda: asyncio.BoundedSemaphore(1),
        MyLock,
    ),
    *(anyio.Lock, anyio.Condition, lambda: anyio.Semaphore(1), lambda: anyio.CapacityLimiter(1)),
    *(threading.Lock, threading.RLock, threading.Condition, lambda: threading.Semaphore(1)),
    getattr(threading, "_PyRLock", threading.Lock),
]
OTHER: list[Any] = [
    Looks, asyncio.Event, asyncio.Queue, threading.Event, object, lambda: None, lambda: MyLock,
    lambda: asyncio.Barrier(2), contextlib.AsyncExitStack, mock.MagicMock, lambda: mock.MagicMock(asyncio.Lock),
]  # fmt: skip


@pytest.mark.parametrize("make", LOCKISH)
def test_locks(make: Callable[[], Any]) -> None:
    assert holding.is_lockish(make())


@pytest.mark.parametrize("make", OTHER)
def test_no_locks(make: Callable[[], Any]) -> None:
    assert not holding.is_lockish(make())


def test_something_that_looks_like_a_lock(loop: Loop, gate: Gate) -> None:
    looks = Looks()

    async def work() -> None:
        async with looks:  # @looks
            await gate

    with running(loop, work()) as (task,):
        assert taken(task) == at((looks, "looks")), "a manager, though no lock"


# --- manners ------------------------------------------------------------------------------------


def test_no_code_of_the_user_is_run(loop: Loop, gate: Gate) -> None:
    ran: list[str] = []
    lock = asyncio.Lock()

    class Meta(type):
        def __instancecheck__(cls, thing: object) -> bool:
            ran.append("isinstance")
            return True

    class Shy(metaclass=Meta):
        __hash__ = None  # type: ignore[assignment]
        gen = property(lambda self: ran.append("gen"))
        thing = property(lambda self: ran.append("thing"))

        def __getattribute__(self, name: str) -> Any:
            if looking:
                ran.append(name)
            return super().__getattribute__(name)

        def __eq__(self, other: object) -> bool:
            ran.append("==")
            return True

        def __repr__(self) -> str:
            ran.append("repr")
            return ""

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *_: object) -> None: ...

    async def work() -> None:
        for _ in [Shy()]:
            async with Shy() as shy, lock:  # @shy
                await gate
                del shy

    looking = False
    with running(loop, work()) as (task,):
        looking = True
        held = holding.held_by(task)
        found = holding.holders(lock, [task])
        looking = False
        assert [x.line for x in held] == [lines()["shy"]] * 2
        assert len(found[0]) == 1
        del held, found
    assert ran == []


def test_nothing_is_kept_alive(loop: Loop, gate: Gate) -> None:
    class Thing:
        pass

    born: list[weakref.ref[Thing]] = []
    turns = [asyncio.Event(), asyncio.Event()]

    async def work() -> None:
        async with asyncio.Lock():
            thing: Any = Thing()
            born.append(weakref.ref(thing))
            await turns[0].wait()
            thing = None
            await turns[1].wait()
            del thing

    with running(loop, work()) as (task,):
        assert len(holding.held_by(task)) == 1
        assert born[0]() is not None
        turns[0].set()
        asyncio_.turn(loop, 3)
        gc.collect()
        assert born[0]() is None, "a copy of the variables would hold it"


def test_odd_tasks(loop: Loop, gate: Gate) -> None:
    seen: list[list[holding.Held]] = []

    async def itself() -> None:
        async with asyncio.Lock():
            current = asyncio.current_task()
            seen.append(holding.held_by(current))

    unstarted = loop.create_task(itself())
    assert holding.held_by(unstarted) == []
    loop.run_until_complete(unstarted)
    assert seen == [[]], "a task that runs shows nothing"
    assert holding.held_by(unstarted) == []
    assert holding.held_by(None) == []
    assert holding.held_by(object()) == []
    assert holding.holders(object(), [None, unstarted]) == ([], False)


def test_task_around_a_generator_step(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    async def steps() -> AsyncIterator[int]:
        async with lock:  # @step
            await gate
            yield 1

    step: Any = anext(steps())
    with running(loop, step) as (task,):
        assert taken(task) == at((lock, "step"))


@pytest.mark.skipif(EAGER is None, reason="eager tasks came with 3.12")
def test_eager_task(loop: Loop, gate: Gate) -> None:
    lock = asyncio.Lock()

    async def work() -> None:
        async with lock:  # @eager
            await gate

    async def main() -> None:
        loop.set_task_factory(EAGER)
        made.append(loop.create_task(work()))
        loop.set_task_factory(None)

    made: list[asyncio.Task[None]] = []
    loop.run_until_complete(main())
    assert taken(made[0]) == at((lock, "eager"))
    made[0].cancel()
    loop.run_until_complete(asyncio.wait(made))


# --- blocks of code -----------------------------------------------------------------------------


def codes_of(module: str) -> Iterator[CodeType]:
    """Yield the code objects of a module, nested ones too."""
    source = importlib.import_module(module).__file__ or ""
    with open(source, encoding="utf-8") as file:
        found = [compile(file.read(), source, "exec")]
    for code in found:
        yield code
        found += [x for x in code.co_consts if isinstance(x, CodeType)]


@pytest.mark.parametrize("module", ["asyncio.locks", "contextlib", "subprocess", "asyncio.streams", __name__])
def test_exception_table_is_read_as_dis_reads_it(module: str) -> None:
    if module == __name__:
        functions = [x for x in globals().values() if isinstance(x, types.FunctionType)]
        codes = [function.__code__ for function in functions]
    else:
        codes = list(codes_of(module))
    for code in codes:
        known = [(e.start, e.end, e.target, e.depth) for e in dis._parse_exception_table(code)]  # type: ignore[attr-defined]
        found = [(e.start, e.end, e.target, e.depth) for e in with_blocks.exception_table(code)]
        assert found == known


def test_blocks_around_a_running_frame() -> None:
    first, second = threading.Lock(), threading.Lock()
    ready, go = threading.Event(), threading.Event()

    def work() -> None:
        with first:  # @thread-first
            for _ in range(2):
                with (
                    second,  # @thread-second
                    contextlib.nullcontext(),  # @thread-third
                ):
                    ready.set()
                    go.wait()
                    return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        ready.wait()
        frame: FrameType | None = sys._current_frames()[thread.ident or 0]
        while frame is not None and frame.f_code is not work.__code__:
            frame = frame.f_back
        assert frame is not None
        marks = [lines()[f"thread-{n}"] for n in ("first", "second", "third")]
        texts = ["first", "second", "contextlib.nullcontext()"]
        assert holding.held_in(frame) == list(zip(marks, texts, strict=True))
        items = holding.with_items(frame.f_code, frame.f_lasti)
        assert [line for line, _ in items] == marks
        assert [where[0] for _, where in items] == marks
        del frame
    finally:
        go.set()
        thread.join()


def test_source_of_what_is_awaited(loop: Loop) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    locks = {"x": asyncio.Lock()}

    async def get() -> None:
        async with asyncio.Lock(), locks["x"]:
            await queue.get()

    async def enter() -> None:
        async with asyncio.Lock(), locks["x"]:
            pass  # fmt: skip

    def source(task: asyncio.Task[Any]) -> str:
        frame = frames_of(task)[0]
        return expression_at(frame.f_code, frame.f_lasti)

    with running(loop, get(), enter()) as (getting, entering):
        assert source(getting) == "queue.get()"
        assert source(entering) in ("locks['x']", 'locks["x"]')


def test_no_source_no_expression() -> None:
    names: dict[str, Any] = {}
    exec(compile("async def work(gate):\n with gate: await gate\n", "<nowhere>", "exec"), names)  # noqa: S102
    code = names["work"].__code__
    offsets = range(-2, len(code.co_code) + 4, 2)
    assert {expression_at(code, offset) for offset in offsets} == {""}
    assert max(len(holding.with_items(code, offset)) for offset in offsets) == 1


def test_stack_of_a_generator() -> None:
    lock = threading.Lock()
    letter = letters(lock)
    begun = opened(letter)
    assert begun is not None
    assert begun.values == []
    next(letter)
    stack = opened(letter)
    assert stack is not None
    assert stack.names == {"lock": lock}
    del stack, begun
    letter.close()
    assert opened(letter) is None
    assert opened(lock) is None
