"""For what does a task wait?  Every primitive, down to the text."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncio_, awaiting

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

Wait = Callable[[], Awaitable[Any]]


async def locked() -> None:
    """Wait for a lock that is taken."""
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


async def lock_block() -> None:
    """Wait for a lock in a block."""
    lock = asyncio.Lock()
    await lock.acquire()
    async with lock:
        pass


async def semaphore() -> None:
    """Wait for a semaphore that is used up."""
    await asyncio.Semaphore(0).acquire()


async def condition() -> None:
    """Wait for a notification."""
    cond = asyncio.Condition()
    async with cond:
        await cond.wait()


async def condition_for() -> None:
    """Wait for a predicate."""
    cond = asyncio.Condition()
    async with cond:
        await cond.wait_for(lambda: False)


async def full_queue() -> None:
    """Wait for room in a queue."""
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    await queue.put(1)
    await queue.put(2)


async def joined_queue() -> None:
    """Wait for the work on a queue."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    await queue.put(1)
    await queue.join()


async def barrier() -> None:
    """Wait for another party."""
    await asyncio.Barrier(2).wait()


async def future() -> None:
    """Wait for a bare future."""
    await asyncio.get_running_loop().create_future()


async def timeout() -> None:
    """Wait within a timeout."""
    async with asyncio.timeout(3600):
        await asyncio.Event().wait()


async def group() -> None:
    """Wait for a group."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.sleep(3600))
        tasks.create_task(asyncio.sleep(3600))


async def gathered() -> None:
    """Wait for several."""
    await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(0), asyncio.sleep(3600))


async def waited() -> None:
    """Wait for the first of several."""
    tasks = [asyncio.ensure_future(asyncio.sleep(3600)) for _ in range(2)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def completed() -> None:
    """Wait for the next of several."""
    for item in asyncio.as_completed([asyncio.sleep(3600), asyncio.sleep(3600)]):
        await item


async def shielded() -> None:
    """Wait behind a shield."""
    await asyncio.shield(asyncio.sleep(3600))


async def in_task() -> None:
    """Wait for another task."""
    await asyncio.create_task(asyncio.sleep(3600))


async def ticks() -> AsyncIterator[int]:
    """Yield after a long time."""
    await asyncio.sleep(3600)
    yield 1


async def iterated() -> None:
    """Wait in a generator."""
    async for _ in ticks():
        pass


async def anexted() -> None:
    """Wait for the next item."""
    await anext(ticks())


async def anexted_with_default() -> None:
    """Wait for the next item, or take another."""
    await anext(ticks(), None)


@contextlib.asynccontextmanager
async def managed() -> AsyncIterator[None]:
    """Take long to enter."""
    await asyncio.sleep(3600)
    yield


async def entering() -> None:
    """Wait in a context manager."""
    async with managed():
        pass


async def stacked() -> None:
    """Wait in an exit stack."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(managed())


class Awaitable_:  # noqa: N801 -- shadows a name of typing
    """Awaitable by `__await__` alone."""

    def __await__(self) -> Any:
        return (yield from asyncio.sleep(3600).__await__())


async def custom() -> None:
    """Wait for an own awaitable."""
    await Awaitable_()


async def received() -> None:
    """Wait for a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def streamed() -> None:
    """Wait for a line."""
    await asyncio.StreamReader().readline()


async def streamed_exactly() -> None:
    """Wait for so many bytes."""
    await asyncio.StreamReader().readexactly(3)


async def threaded() -> None:
    """Wait for a thread."""
    gate = threading.Event()
    try:
        await asyncio.to_thread(gate.wait, 30)
    finally:
        gate.set()


async def timed() -> None:
    """Wait for a result in time."""
    await asyncio.wait_for(asyncio.Event().wait(), 3600)


CASES: list[tuple[Wait, str]] = [
    (lambda: asyncio.sleep(3600), "asyncio.sleep(3600)"),
    (lambda: asyncio.Event().wait(), "asyncio.Event.wait()"),
    (locked, "asyncio.Lock.acquire() of `lock`"),
    (lock_block, "asyncio.Lock.acquire() of `lock`"),
    (semaphore, "asyncio.Semaphore.acquire()"),
    (condition, "asyncio.Condition.wait() of `cond`"),
    (condition_for, "asyncio.Condition.wait() of `cond`"),
    (lambda: asyncio.Queue().get(), "asyncio.Queue.get()"),
    (full_queue, "asyncio.Queue.put() of `queue`"),
    (joined_queue, "asyncio.Queue.join() of `queue`"),
    (barrier, "asyncio.Barrier.wait()"),
    (future, "a Future"),
    (timeout, "asyncio.Event.wait()"),
    (timed, "asyncio.Event.wait()"),
    (group, "asyncio.TaskGroup.__aexit__()"),
    (gathered, "asyncio.gather() of 3, 2 pending"),
    (waited, "asyncio.wait() of 2, 2 pending"),
    (completed, "asyncio.as_completed(), 2 pending"),
    (shielded, "asyncio.sleep(3600)"),
    (in_task, "asyncio.sleep(3600)"),
    (iterated, "asyncio.sleep(3600)"),
    (anexted, "asyncio.sleep(3600)"),
    (anexted_with_default, "asyncio.sleep(3600)"),
    (entering, "asyncio.sleep(3600)"),
    (stacked, "asyncio.sleep(3600)"),
    (custom, "asyncio.sleep(3600)"),
    (received, "asyncio.BaseSelectorEventLoop.sock_recv() of `ours`"),
    (streamed, "asyncio.StreamReader.readline()"),
    (streamed_exactly, "asyncio.StreamReader.readexactly()"),
    (threaded, "a thread of an executor"),
]


@pytest.mark.parametrize(("wait", "text"), CASES, ids=[f"{i}-{w.__name__}" for i, (w, _) in enumerate(CASES)])
def test_primitive(lab: Lab, loop: asyncio.AbstractEventLoop, wait: Wait, text: str) -> None:
    async def outer() -> None:
        await wait()

    task = loop.create_task(outer(), name="outer")
    asyncio_.turn(loop, 6)
    frames, leaf = awaiting.chain(task)
    assert leaf == text
    mine = [f for f in frames if f.role == "project"]
    assert mine[0].qualname.endswith("outer")
    assert all(f.line > 0 for f in frames)
    task.cancel()
    asyncio_.turn(loop, 6)


def test_whole_chain_in_order(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(stacked())
    asyncio_.turn(loop, 4)
    frames, _ = awaiting.chain(task)
    assert [f.qualname for f in frames] == [
        "stacked",
        "AsyncExitStack.enter_async_context",
        "_AsyncGeneratorContextManager.__aenter__",
        "managed",
        "sleep",
    ]


def test_ready_task(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(asyncio.sleep(0))
    assert awaiting.chain(task)[1] == "nothing: it never started"
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert awaiting.chain(task)[1] == "nothing: it is ready to run"


def test_subprocess(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def wait() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
        started.append(process)
        try:
            await process.wait()
        finally:
            process.kill()

    started: list[Any] = []
    task = loop.create_task(wait())
    for _ in range(500):
        loop.run_until_complete(asyncio.sleep(0.01))
        if started:
            break
    frames, leaf = awaiting.chain(task)
    assert frames[0].qualname.endswith("wait")
    assert leaf == "asyncio.subprocess.Process.wait() of `process`"
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.run_until_complete(started[0].wait())


def test_two_tasks_that_wait_for_each_other_end(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    tasks: list[asyncio.Task[None]] = []
    gate = asyncio.Event()

    async def wait(index: int) -> None:
        await asyncio.sleep(0)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({tasks[index]})

    tasks += [loop.create_task(wait(1), name="one"), loop.create_task(wait(0), name="two")]
    asyncio_.turn(loop, 4)
    frames, leaf = awaiting.chain(tasks[0])
    assert frames
    assert leaf.startswith("task ")
    gate.set()
    tasks[0].cancel()
    asyncio_.turn(loop, 6)
