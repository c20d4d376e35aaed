"""What does a task wait for in anyio, on its asyncio backend?"""

from __future__ import annotations

import asyncio
import math
import re
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from pytest_taskleak.adapt import anyio_waits, asyncio_, waits
from pytest_taskleak.adapt.waits import Wait, wait_of

Here = Callable[[], None]
Shape = Callable[[Here], Coroutine[Any, Any, Any]]
LONG = 3600
HOUR = r"3[56]00 s left"
PORT = r"127\.0\.0\.1:\d+"


class Told(NamedTuple):
    """What is expected; texts are patterns."""

    kind: str
    what: str
    name: str = ""
    detail: str = ""
    on: int = 0
    inside: str = ""

    def check(self, wait: Wait) -> None:
        said = (wait.kind, wait.what, wait.name, wait.detail, wait.inside, len(wait.on))
        assert said[:2] == (self.kind, self.what), said
        assert wait.name == self.name, said
        assert re.fullmatch(self.detail, wait.detail), said
        assert wait.inside == self.inside, said
        assert len(wait.on) == self.on, said


@pytest.fixture(params=["asyncio", "uvloop"])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of each kind, turned by hand."""
    if request.param == "uvloop":
        made = pytest.importorskip("uvloop").new_event_loop()
    else:
        made = asyncio.new_event_loop()
    yield made
    for _ in range(3):
        left = asyncio.all_tasks(made)
        for task in left:
            task.cancel()
        if left:
            made.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


def start(loop: asyncio.AbstractEventLoop, shape: Shape) -> asyncio.Task[Any]:
    """Run a shape until it waits."""
    reached = loop.create_future()

    def here() -> None:
        if not reached.done():
            reached.set_result(None)

    task = loop.create_task(shape(here), name="outer")
    loop.run_until_complete(asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED))
    asyncio_.turn(loop, 8)
    if task.done():
        task.result()
    return task


async def forever() -> None:
    await anyio.sleep(LONG)


async def hold(lock: anyio.Lock | anyio.Semaphore | anyio.CapacityLimiter | anyio.Condition) -> None:
    async with lock:
        await forever()


async def held_lock(here: Here) -> None:
    dst = anyio.Lock()
    holder = asyncio.create_task(hold(dst), name="holder")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    here()
    try:
        async with dst:
            pass
    finally:
        holder.cancel()


async def adapted_lock(here: Here) -> None:
    guard = made_outside(anyio.Lock)
    holder = asyncio.create_task(hold(guard), name="holder")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    here()
    try:
        await guard.acquire()
    finally:
        holder.cancel()


def made_outside(make: Callable[[], Any]) -> Any:
    """Return what is made where no loop runs."""
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(make()))
    thread.start()
    thread.join()
    return made[0]


async def semaphore(here: Here) -> None:
    permits = anyio.Semaphore(1, max_value=1)
    async with permits:
        here()
        async with permits:
            pass


async def adapted_semaphore(here: Here) -> None:
    permits = made_outside(lambda: anyio.Semaphore(0))
    here()
    await permits.acquire()


async def limiter(here: Here) -> None:
    tokens = anyio.CapacityLimiter(1)
    holder = asyncio.create_task(hold(tokens))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    here()
    try:
        async with tokens:
            pass
    finally:
        holder.cancel()


async def adapted_limiter(here: Here) -> None:
    tokens = made_outside(lambda: anyio.CapacityLimiter(0))
    here()
    async with tokens:
        pass


async def event(here: Here) -> None:
    ready = anyio.Event()
    here()
    await ready.wait()


async def adapted_event(here: Here) -> None:
    ready = made_outside(anyio.Event)
    here()
    await ready.wait()


async def condition(here: Here) -> None:
    changed = anyio.Condition()
    async with changed:
        here()
        await changed.wait()


async def condition_entered(here: Here) -> None:
    changed = anyio.Condition()
    holder = asyncio.create_task(hold(changed), name="holder")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    here()
    try:
        async with changed:
            pass
    finally:
        holder.cancel()


async def condition_notified(here: Here) -> None:
    changed = anyio.Condition()

    async def notify() -> None:
        async with changed:
            changed.notify()
            await forever()

    async with changed:
        holder = asyncio.create_task(notify(), name="holder")
        here()
        try:
            await changed.wait()
        finally:
            holder.cancel()


async def receive(here: Here) -> None:
    send, inbox = anyio.create_memory_object_stream[int](3)
    with send, inbox:
        here()
        await inbox.receive()


async def receive_each(here: Here) -> None:
    send, inbox = anyio.create_memory_object_stream[int](math.inf)
    with send, inbox:
        here()
        async for _ in inbox:
            pass


async def send(here: Here) -> None:
    outbox, other = anyio.create_memory_object_stream[int](1)
    with outbox, other, other.clone():
        await outbox.send(1)
        here()
        await outbox.send(2)


async def sleep(here: Here) -> None:
    here()
    await anyio.sleep(LONG)


async def sleep_forever(here: Here) -> None:
    here()
    await anyio.sleep_forever()


async def group(here: Here) -> None:
    async with anyio.create_task_group() as team:
        team.start_soon(forever)
        team.start_soon(forever)
        here()


async def starting(here: Here) -> None:
    async def serve(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        await forever()

    async with anyio.create_task_group() as team:
        here()
        await team.start(serve, name="server")


async def handle(here: Here) -> None:
    async with anyio.create_task_group() as team:
        worker = team.start_soon(forever, name="worker")
        here()
        await worker


async def fail_after(here: Here) -> None:
    ready = anyio.Event()
    with anyio.fail_after(LONG):
        here()
        await ready.wait()


async def cancel_scope(here: Here) -> None:
    ready = anyio.Event()
    with anyio.CancelScope():
        here()
        await ready.wait()


async def shielded(here: Here) -> None:
    ready = anyio.Event()
    with anyio.move_on_after(LONG), anyio.CancelScope(shield=True):
        here()
        await ready.wait()


def slow(begun: threading.Event, gate: threading.Event) -> None:
    begun.set()
    gate.wait(30)


async def run_sync(here: Here) -> None:
    begun, gate = threading.Event(), threading.Event()

    async def tell() -> None:
        while not begun.is_set():
            await anyio.sleep(0.001)
        here()

    other = asyncio.create_task(tell())
    try:
        await anyio.to_thread.run_sync(slow, begun, gate, abandon_on_cancel=True)
    finally:
        gate.set()
        await other


async def run_sync_limited(here: Here) -> None:
    tokens = anyio.CapacityLimiter(0)
    here()
    await anyio.to_thread.run_sync(print, limiter=tokens)


async def process_wait(here: Here) -> None:
    process = await anyio.open_process([sys.executable, "-c", "input()"])
    async with process:
        here()
        try:
            await process.wait()
        finally:
            process.kill()


async def stream(here: Here) -> None:
    async def accept(client: anyio.abc.SocketStream) -> None:
        async with client:
            await forever()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 -- no database
        async with anyio.create_task_group() as team:
            team.start_soon(listener.serve, accept)
            async with await anyio.connect_tcp("127.0.0.1", port) as connection:
                here()
                await connection.receive()


async def accept(here: Here) -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
        inner: Any = listener.listeners[0]
        here()
        await inner.accept()


async def readable(here: Here) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        here()
        await anyio.wait_readable(ours)


SHAPES: dict[Shape, Told] = {
    held_lock: Told("lock", "anyio.Lock.acquire()", "dst", "locked by task 'holder'"),
    adapted_lock: Told("lock", "anyio.Lock.acquire()", "guard", "locked by task 'holder'"),
    semaphore: Told("semaphore", "anyio.Semaphore.acquire()", "permits", "value 0 of 1"),
    adapted_semaphore: Told("semaphore", "anyio.Semaphore.acquire()", "permits", "value 0"),
    limiter: Told("limiter", "anyio.CapacityLimiter.acquire()", "tokens", "1 of 1 tokens taken"),
    adapted_limiter: Told("limiter", "anyio.CapacityLimiter.acquire()", "tokens", "0 of 0 tokens taken"),
    event: Told("event", "anyio.Event.wait()", "ready", "not set"),
    adapted_event: Told("event", "anyio.Event.wait()", "ready", "not set"),
    condition: Told("condition", "anyio.Condition.wait()", "changed", "its lock is free"),
    condition_entered: Told("lock", "anyio.Condition.acquire()", "changed", "locked by task 'holder'"),
    condition_notified: Told(
        "lock", "anyio.Lock.acquire()", "changed", "locked by task 'holder'", inside="Condition.wait()"
    ),
    receive: Told(
        *("memory-stream", "anyio.MemoryObjectReceiveStream.receive()", "inbox"),
        "buffer 0 of 3, 1 open to send, 1 to receive",
    ),
    receive_each: Told(
        *("memory-stream", "anyio.MemoryObjectReceiveStream.receive()", "inbox"),
        "buffer 0, 1 open to send, 1 to receive",
    ),
    send: Told(
        *("memory-stream", "anyio.MemoryObjectSendStream.send()", "outbox"),
        "buffer 1 of 1, 1 open to send, 2 to receive",
    ),
    sleep: Told("sleep", "anyio.sleep(3600)", "", HOUR),
    sleep_forever: Told("sleep", "anyio.sleep_forever()", "", "for ever"),
    group: Told("group", "anyio.TaskGroup.__aexit__()", "team", "2 pending", 2),
    starting: Told(
        "group", "anyio.TaskGroup.start()", "team", r"task 'server' has not called started\(\)", 1
    ),
    fail_after: Told("event", "anyio.Event.wait()", "ready", "not set", inside="CancelScope()"),
    cancel_scope: Told("event", "anyio.Event.wait()", "ready", "not set"),
    shielded: Told("event", "anyio.Event.wait()", "ready", "not set"),
    run_sync: Told("thread", "anyio.to_thread.run_sync()", "", r"function slow\(\) in thread '.+'"),
    run_sync_limited: Told("limiter", "anyio.CapacityLimiter.acquire()", "tokens", "0 of 0 tokens taken"),
    process_wait: Told("process", "anyio.Process.wait()", "process", r"pid \d+ \(python\S* -c \.\.\.\)"),
    stream: Told("stream", "anyio.SocketStream.receive()", "connection", f"{PORT} -> {PORT}"),
    accept: Told("stream", "anyio.TCPSocketListener.accept()", "inner", PORT),
    readable: Told("stream", "anyio.wait_readable()", "ours", r"unix socket, fd \d+"),
}
if hasattr(anyio, "TaskHandle"):
    SHAPES[handle] = Told("task", "task 'worker'", "worker", on=1)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_wait(any_loop: asyncio.AbstractEventLoop, shape: Shape) -> None:
    told, wait = SHAPES[shape], wait_of(start(any_loop, shape))
    told.check(wait)
    assert wait.code is not None
    assert wait.code.co_filename == __file__


def test_the_holder_of_a_lock(any_loop: asyncio.AbstractEventLoop) -> None:
    for shape in (held_lock, adapted_lock):
        holder = anyio_waits.owner_of(wait_of(start(any_loop, shape)).thing)
        assert holder.get_name() == "holder"
    assert anyio_waits.owner_of(asyncio.Lock()) is None


def test_armed_until(any_loop: asyncio.AbstractEventLoop) -> None:
    left = waits.armed_until(start(any_loop, fail_after))
    assert left is not None
    assert LONG / 2 < left < LONG + 1  # uvloop counts in milliseconds
    assert waits.armed_until(start(any_loop, cancel_scope)) is None
    assert waits.armed_until(start(any_loop, shielded)) is None


def test_the_scope_around_the_group_ends_its_tasks(any_loop: asyncio.AbstractEventLoop) -> None:
    async def outer(here: Here) -> None:
        with anyio.move_on_after(LONG):
            async with anyio.create_task_group() as team:
                team.start_soon(forever)
                here()

    inner = wait_of(start(any_loop, outer)).on[0]
    assert waits.armed_until(inner) is not None
    assert wait_of(inner).inside == "CancelScope()"
