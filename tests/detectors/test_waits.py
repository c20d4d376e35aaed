"""What does a task wait for, down to the primitive by name, on stock loops and on uvloop?"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import re
import socket
import sys
import threading
import types
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_, awaiting, code, details, waits
from pytest_taskleak.adapt.waits import Wait, wait_of

Here = Callable[[], None]
"""Called right before the await that the test is about."""
Shape = Callable[[Here], Coroutine[Any, Any, Any]]

NO_TASK_IN_WAIT_FOR = sys.version_info >= (3, 12)
LONG = 3600
HOUR = r"3[56]00 s left"


@dataclass(frozen=True)
class Told:
    """What is expected; texts are patterns."""

    kind: str
    what: str
    name: str = ""
    detail: str = ""
    on: int = 0
    inside: str = ""
    thing: type | None = None

    def check(self, wait: Wait) -> None:
        said = (wait.kind, wait.what, wait.name, wait.detail, wait.inside, len(wait.on))
        assert said[:2] == (self.kind, self.what), said
        assert wait.name == self.name, said
        assert re.fullmatch(self.detail, wait.detail), said
        assert wait.inside == self.inside, said
        assert len(wait.on) == self.on, said
        if self.thing is not None:
            assert isinstance(wait.thing, self.thing), said


@pytest.fixture(params=["asyncio", "uvloop"])
def any_loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of each kind, turned by hand."""
    if request.param == "uvloop":
        made = pytest.importorskip("uvloop").new_event_loop()
    else:
        made = asyncio.new_event_loop()
    yield made
    close(made)


def close(loop: asyncio.AbstractEventLoop) -> None:
    for _ in range(3):
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def start(loop: asyncio.AbstractEventLoop, shape: Shape, name: str = "outer") -> asyncio.Task[Any]:
    """Run a shape until it waits."""
    reached = loop.create_future()

    def here() -> None:
        if not reached.done():
            reached.set_result(None)

    task = loop.create_task(shape(here), name=name)
    loop.run_until_complete(asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED))
    asyncio_.turn(loop, 6)
    if task.done():
        task.result()
    return task


# --- locks --------------------------------------------------------------------------------------


class Service:
    """Has what services have."""

    shared: asyncio.Event

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.inflight: dict[str, asyncio.Future[int]] = {}
        self.parts = [asyncio.Event(), asyncio.Event()]


async def lock(here: Here) -> None:
    dst = asyncio.Lock()
    await dst.acquire()
    here()
    await dst.acquire()


async def lock_block(here: Here) -> None:
    service = Service()
    async with service.lock:
        here()
        async with service.lock:
            pass


async def lock_of_self(here: Here) -> None:
    class Own:
        def __init__(self) -> None:
            self.guard = asyncio.Lock()

        async def work(self) -> None:
            await self.guard.acquire()
            here()
            async with self.guard:
                pass

    await Own().work()


async def stampede(here: Here) -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    others = [asyncio.create_task(lock.acquire()) for _ in range(2)]
    here()
    try:
        await lock.acquire()
    finally:
        assert others


async def semaphore(here: Here) -> None:
    permits = asyncio.Semaphore(1)
    async with permits:
        here()
        async with permits:
            pass


async def bounded(here: Here) -> None:
    permits = asyncio.BoundedSemaphore(2)
    await permits.acquire()
    await permits.acquire()
    here()
    await permits.acquire()


async def event(here: Here) -> None:
    ready = asyncio.Event()
    here()
    await ready.wait()


async def event_of_class(here: Here) -> None:
    Service.shared = asyncio.Event()
    here()
    await Service.shared.wait()


async def event_in_list(here: Here) -> None:
    service = Service()
    here()
    await service.parts[1].wait()


async def condition(here: Here) -> None:
    changed = asyncio.Condition()
    async with changed:
        here()
        await changed.wait()


async def condition_for(here: Here) -> None:
    changed = asyncio.Condition()
    async with changed:
        here()
        await changed.wait_for(lambda: False)


async def condition_entered(here: Here) -> None:
    changed = asyncio.Condition()
    async with changed:
        here()
        async with changed:
            pass


async def condition_notified(here: Here) -> None:
    changed = asyncio.Condition()

    async def notify() -> None:
        async with changed:
            changed.notify()
            await asyncio.sleep(LONG)

    async with changed:
        other = asyncio.create_task(notify())
        here()
        try:
            await changed.wait()
        finally:
            other.cancel()
            await asyncio.wait({other})


async def barrier(here: Here) -> None:
    meeting = asyncio.Barrier(3)
    other = asyncio.create_task(meeting.wait())
    await asyncio.sleep(0)
    here()
    try:
        async with meeting:
            pass
    finally:
        other.cancel()


# --- queues -------------------------------------------------------------------------------------


async def queue_get(here: Here) -> None:
    service = Service()
    here()
    await service.queue.get()


async def bounded_queue_get(here: Here) -> None:
    inbox: asyncio.Queue[int] = asyncio.Queue(10)
    here()
    await inbox.get()


async def queue_put(here: Here) -> None:
    inbox: asyncio.Queue[int] = asyncio.Queue(2)
    inbox.put_nowait(1)
    inbox.put_nowait(2)
    here()
    await inbox.put(3)


async def queue_join(here: Here) -> None:
    inbox: asyncio.Queue[int] = asyncio.Queue()
    inbox.put_nowait(1)
    inbox.put_nowait(2)
    inbox.get_nowait()
    here()
    await inbox.join()


async def priority_queue(here: Here) -> None:
    inbox: asyncio.PriorityQueue[int] = asyncio.PriorityQueue()
    here()
    await inbox.get()


async def lifo_queue(here: Here) -> None:
    inbox: asyncio.LifoQueue[int] = asyncio.LifoQueue(1)
    inbox.put_nowait(1)
    here()
    await inbox.put(2)


async def own_queue(here: Here) -> None:
    class Ring(asyncio.Queue[int]):
        def _init(self, maxsize: int) -> None:
            self._queue = collections.deque([7], maxlen=1)

    inbox = Ring(1)
    here()
    await inbox.put(2)


async def shut_queue(here: Here) -> None:
    inbox: asyncio.Queue[int] = asyncio.Queue()
    inbox.put_nowait(1)
    inbox.shutdown()  # type: ignore[attr-defined,unused-ignore]
    here()
    await inbox.join()


# --- time, futures and tasks --------------------------------------------------------------------


async def sleep(here: Here) -> None:
    here()
    await asyncio.sleep(LONG)


async def future(here: Here) -> None:
    reply = asyncio.get_running_loop().create_future()
    here()
    await reply


async def future_in_dict(here: Here) -> None:
    service = Service()
    service.inflight["user:7"] = asyncio.get_running_loop().create_future()
    here()
    await service.inflight["user:7"]


async def forever(here: Here | None = None) -> None:
    await asyncio.sleep(LONG)


async def child(here: Here) -> None:
    worker = asyncio.create_task(forever(), name="worker")
    here()
    await worker


async def gather(here: Here) -> None:
    here()
    await asyncio.gather(forever(), asyncio.sleep(0), forever())


async def gather_of_one(here: Here) -> None:
    here()
    await asyncio.gather(asyncio.sleep(0), forever())


async def gather_with_exceptions(here: Here) -> None:
    futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
    here()
    await asyncio.gather(*futures, return_exceptions=True)


async def shield_of_task(here: Here) -> None:
    worker = asyncio.create_task(forever(), name="worker")
    here()
    await asyncio.shield(worker)


async def shield_of_gather(here: Here) -> None:
    here()
    await asyncio.shield(asyncio.gather(forever(), forever()))


async def wait_first(here: Here) -> None:
    workers = {asyncio.create_task(forever()) for _ in range(2)}
    here()
    await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)


async def wait_timed(here: Here) -> None:
    workers = {asyncio.create_task(forever()), asyncio.create_task(asyncio.sleep(0))}
    here()
    await asyncio.wait(workers, timeout=LONG)


async def wait_for(here: Here) -> None:
    ready = asyncio.Event()
    here()
    await asyncio.wait_for(ready.wait(), LONG)


async def wait_for_future(here: Here) -> None:
    reply = asyncio.get_running_loop().create_future()
    here()
    await asyncio.wait_for(reply, LONG)


async def wait_for_shield(here: Here) -> None:
    worker = asyncio.create_task(forever(), name="worker")
    here()
    await asyncio.wait_for(asyncio.shield(worker), LONG)


async def timeout(here: Here) -> None:
    ready = asyncio.Event()
    async with asyncio.timeout(LONG):
        here()
        await ready.wait()


async def timeout_in_helper(here: Here) -> None:
    ready = asyncio.Event()

    @contextlib.asynccontextmanager
    async def limited() -> AsyncIterator[None]:
        async with asyncio.timeout(LONG):
            yield

    async with limited():
        here()
        await ready.wait()


async def timeout_on_stack(here: Here) -> None:
    ready = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(LONG))
        here()
        await ready.wait()


async def timeout_without_end(here: Here) -> None:
    ready = asyncio.Event()
    async with asyncio.timeout(None):
        here()
        await ready.wait()


async def as_completed(here: Here) -> None:
    here()
    for item in asyncio.as_completed([forever(), forever()]):
        await item


async def group(here: Here) -> None:
    async with asyncio.TaskGroup() as team:
        team.create_task(forever())
        team.create_task(forever())
        here()


async def ticks(here: Here) -> AsyncIterator[int]:
    ready = asyncio.Event()
    here()
    await ready.wait()
    yield 1


async def iterated(here: Here) -> None:
    async with contextlib.aclosing(ticks(here)) as every:  # type: ignore[type-var]
        async for _ in every:
            pass


async def anexted(here: Here) -> None:
    async with contextlib.aclosing(ticks(here)) as every:  # type: ignore[type-var]
        await anext(every, None)


async def entered(here: Here) -> None:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        ready = asyncio.Event()
        here()
        await ready.wait()
        yield

    async with opened():
        pass


async def leaving(here: Here) -> None:
    ready = asyncio.Event()

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        yield
        here()
        await ready.wait()

    async with opened():
        pass


# --- threads ------------------------------------------------------------------------------------


def slow(begun: threading.Event, gate: threading.Event) -> None:
    begun.set()
    gate.wait(30)


async def to_thread(here: Here) -> None:
    begun, gate = threading.Event(), threading.Event()

    async def tell() -> None:
        while not begun.is_set():
            await asyncio.sleep(0.001)
        here()

    other = asyncio.create_task(tell())
    try:
        await asyncio.to_thread(slow, begun, gate)
    finally:
        gate.set()
        await other


async def queued_work(here: Here) -> None:
    gate = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(gate.wait, 30)
        here()
        try:
            await asyncio.get_running_loop().run_in_executor(pool, slow, gate, gate)
        finally:
            gate.set()


async def concurrent_future(here: Here) -> None:
    reply: concurrent.futures.Future[int] = concurrent.futures.Future()
    here()
    await asyncio.wrap_future(reply)


async def threadsafe(here: Here) -> None:
    loop = asyncio.get_running_loop()
    reply = asyncio.run_coroutine_threadsafe(forever(), loop)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    here()
    await asyncio.wrap_future(reply)


SHAPES: dict[Shape, Told] = {
    lock: Told("lock", "asyncio.Lock.acquire()", "dst", "locked", thing=asyncio.Lock),
    lock_block: Told("lock", "asyncio.Lock.acquire()", "service.lock", "locked"),
    lock_of_self: Told("lock", "asyncio.Lock.acquire()", "self.guard", "locked"),
    stampede: Told("lock", "asyncio.Lock.acquire()", "lock", "locked, 3 waiting"),
    semaphore: Told(
        "semaphore", "asyncio.Semaphore.acquire()", "permits", "value 0", thing=asyncio.Semaphore
    ),
    bounded: Told("semaphore", "asyncio.BoundedSemaphore.acquire()", "permits", "value 0 of 2"),
    event: Told("event", "asyncio.Event.wait()", "ready", "not set", thing=asyncio.Event),
    event_of_class: Told("event", "asyncio.Event.wait()", "Service.shared", "not set"),
    event_in_list: Told("event", "asyncio.Event.wait()", "service.parts[1]", "not set"),
    condition: Told("condition", "asyncio.Condition.wait()", "changed", "its lock is free"),
    condition_for: Told("condition", "asyncio.Condition.wait()", "changed", "its lock is free"),
    condition_entered: Told("lock", "asyncio.Condition.acquire()", "changed", "locked", thing=asyncio.Lock),
    condition_notified: Told(
        "lock", "asyncio.Lock.acquire()", "changed", "locked", inside="Condition.wait()", thing=asyncio.Lock
    ),
    barrier: Told("barrier", "asyncio.Barrier.wait()", "meeting", "2 of 3 parties", thing=asyncio.Barrier),
    queue_get: Told("queue", "asyncio.Queue.get()", "service.queue", "empty, size 0", thing=asyncio.Queue),
    bounded_queue_get: Told("queue", "asyncio.Queue.get()", "inbox", "empty, size 0 of 10"),
    queue_put: Told("queue", "asyncio.Queue.put()", "inbox", "full, size 2 of 2"),
    queue_join: Told("queue", "asyncio.Queue.join()", "inbox", "2 unfinished, size 1", thing=asyncio.Queue),
    priority_queue: Told("queue", "asyncio.PriorityQueue.get()", "inbox", "empty, size 0"),
    lifo_queue: Told("queue", "asyncio.LifoQueue.put()", "inbox", "full, size 1 of 1"),
    own_queue: Told("queue", "asyncio.Queue.put()", "inbox", "full, size 1 of 1"),
    sleep: Told("sleep", "asyncio.sleep(3600)", "", HOUR),
    future: Told("future", "a Future", "reply", on=1, thing=asyncio.Future),
    future_in_dict: Told("future", "a Future", "service.inflight['user:7']", on=1),
    child: Told("task", "task 'worker'", "worker", on=1, thing=asyncio.Task),
    gather: Told("gather", "asyncio.gather() of 3, 2 pending", on=2),
    gather_of_one: Told("gather", "asyncio.gather() of 2, 1 pending", on=1),
    gather_with_exceptions: Told("gather", "asyncio.gather() of 3, 3 pending", on=3),
    shield_of_task: Told("shield", "task 'worker'", "worker", on=1, inside="shield()", thing=asyncio.Task),
    shield_of_gather: Told("gather", "asyncio.gather() of 2, 2 pending", on=1, inside="shield()"),
    wait_first: Told("wait", "asyncio.wait() of 2, 2 pending", "", "until the first completes", 2),
    wait_timed: Told("wait", "asyncio.wait() of 2, 1 pending", "", "until all complete, " + HOUR, 1),
    wait_for_future: Told("future", "a Future", "reply", on=1, inside="wait_for()"),
    wait_for_shield: Told("shield", "task 'worker'", "worker", on=1, inside="shield() in wait_for()"),
    timeout: Told("event", "asyncio.Event.wait()", "ready", "not set", inside="timeout()"),
    timeout_in_helper: Told("event", "asyncio.Event.wait()", "ready", "not set", inside="timeout()"),
    timeout_on_stack: Told("event", "asyncio.Event.wait()", "ready", "not set", inside="timeout()"),
    timeout_without_end: Told("event", "asyncio.Event.wait()", "ready", "not set"),
    as_completed: Told("wait", "asyncio.as_completed(), 2 pending", "", "until the next completes", 2),
    group: Told("group", "asyncio.TaskGroup.__aexit__()", "team", "2 pending", 2, thing=asyncio.TaskGroup),
    iterated: Told("event", "asyncio.Event.wait()", "ready", "not set"),
    anexted: Told("event", "asyncio.Event.wait()", "ready", "not set"),
    entered: Told("event", "asyncio.Event.wait()", "ready", "not set"),
    leaving: Told("event", "asyncio.Event.wait()", "ready", "not set"),
    to_thread: Told("executor", "a thread of an executor", "", r"function slow\(\) in thread '.+_0'", 1),
    queued_work: Told("executor", "a thread of an executor", "", r"function slow\(\), not started", 1),
    concurrent_future: Told(
        "future", "a concurrent.futures.Future", "reply", on=1, thing=concurrent.futures.Future
    ),
    threadsafe: Told("task", "task 'Task-.*'", "", "on another loop", 2),
}
if NO_TASK_IN_WAIT_FOR:
    SHAPES[wait_for] = Told("event", "asyncio.Event.wait()", "ready", "not set", inside="wait_for()")
else:  # it runs in a task of its own
    SHAPES[wait_for] = Told("task", "task 'Task-.*'", on=1, inside="wait_for()")
if hasattr(asyncio.Queue, "shutdown"):
    SHAPES[shut_queue] = Told("queue", "asyncio.Queue.join()", "inbox", "1 unfinished, size 1, shut down")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_wait(any_loop: asyncio.AbstractEventLoop, shape: Shape) -> None:
    task = start(any_loop, shape)
    wait = wait_of(task)
    told = SHAPES[shape]
    if "'Task-" in told.what:
        assert re.fullmatch(told.what, wait.what)
        wait.what = told.what
    told.check(wait)
    assert wait.code is not None
    assert wait.code.co_filename == __file__
    assert wait.line > 0
    del wait


# --- the outside --------------------------------------------------------------------------------

PORT = r"127\.0\.0\.1:\d+"


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server that says nothing and reads nothing."""
    held: list[asyncio.StreamWriter] = []

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        held.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    while not held:
        await asyncio.sleep(0)
    try:
        yield reader, writer
    finally:
        for one in (writer, *held):
            one.transport.abort()
        server.close()
        for _ in range(3):
            await asyncio.sleep(0)


async def stream_line(here: Here) -> None:
    async with connected() as (reader, _):
        here()
        await reader.readline()


async def stream_iterated(here: Here) -> None:
    async with connected() as (reader, _):
        here()
        async for _line in reader:
            pass


async def stream_exactly(here: Here) -> None:
    async with connected() as (reader, _):
        here()
        await reader.readexactly(3)


async def stream_drain(here: Here) -> None:
    async with connected() as (_, writer):
        writer.write(bytes(20_000_000))
        here()
        await writer.drain()


async def stream_close(here: Here) -> None:
    async with connected() as (_, writer):
        writer.write(bytes(20_000_000))
        writer.close()
        here()
        await writer.wait_closed()


async def serve(here: Here) -> None:
    server = await asyncio.start_server(print, "127.0.0.1", 0)
    here()
    async with server:
        await server.serve_forever()


async def server_close(here: Here) -> None:
    async with connected():
        server = await asyncio.start_server(print, "127.0.0.1", 0)
        try:
            here()
            await server.wait_closed()
        finally:
            server.close()


async def socket_recv(here: Here) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        here()
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def socket_accept(here: Here) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        here()
        await asyncio.get_running_loop().sock_accept(listener)


async def process_wait(here: Here) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
    here()
    try:
        await process.wait()
    finally:
        await end(process)


async def process_talk(here: Here) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(60)", stdin=-1, stdout=-1, stderr=-1
    )
    here()
    try:
        await process.communicate()
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
    process._transport.close()  # type: ignore[attr-defined]
    for _ in range(3):
        await asyncio.sleep(0)


OUTSIDE: dict[Shape, Told] = {
    stream_line: Told("stream", "asyncio.StreamReader.readline()", "reader", f"{PORT} -> {PORT}"),
    stream_iterated: Told("stream", "asyncio.StreamReader.readline()", "reader", f"{PORT} -> {PORT}"),
    stream_exactly: Told("stream", "asyncio.StreamReader.readexactly()", "reader", f"{PORT} -> {PORT}"),
    stream_drain: Told("stream", "asyncio.StreamWriter.drain()", "writer", f"{PORT} -> {PORT}"),
    stream_close: Told("stream", "asyncio.StreamWriter.wait_closed()", "writer", f"{PORT} -> {PORT}"),
    serve: Told("server", "asyncio.Server.serve_forever()", "server", PORT),
    server_close: Told("server", "asyncio.Server.wait_closed()", "server", PORT),
    socket_recv: Told(
        "stream",
        "asyncio.BaseSelectorEventLoop.sock_recv()",
        "ours",
        r"unix socket, fd \d+",
        thing=socket.socket,
    ),
    socket_accept: Told("stream", "asyncio.BaseSelectorEventLoop.sock_accept()", "listener", PORT),
    process_wait: Told(
        *("process", "asyncio.subprocess.Process.wait()", "process", r"pid \d+ \(python\S* -c \.\.\.\)"),
        thing=asyncio.subprocess.Process,
    ),
    process_talk: Told(
        "process",
        "asyncio.subprocess.Process.communicate()",
        "process",
        r"pid \d+ \(python\S* -c \.\.\.\)",
        2,
    ),
}
COMPILED = {
    "asyncio.Server.": "uvloop.Server.",
    "asyncio.BaseSelectorEventLoop.": "uvloop.Loop.",
}


@pytest.mark.parametrize("shape", OUTSIDE, ids=lambda shape: shape.__name__)
def test_wait_for_the_outside(any_loop: asyncio.AbstractEventLoop, shape: Shape) -> None:
    if shape is server_close and sys.version_info < (3, 12):
        pytest.skip("there it does not wait for a server that is open")
    told = OUTSIDE[shape]
    if not isinstance(any_loop, asyncio.BaseEventLoop):
        for ours, theirs in COMPILED.items():
            told = replace(told, what=told.what.replace(ours, theirs))
    told.check(wait_of(start(any_loop, shape)))


# --- odd ones -----------------------------------------------------------------------------------


class Explosive:
    """Whatever is asked of it besides its type fails."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)

    def __repr__(self) -> str:
        raise AssertionError

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    def __bool__(self) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]


class OddLock(Explosive, asyncio.Lock): ...


class OddQueue(Explosive, asyncio.Queue[int]): ...


class OddEvent(Explosive, asyncio.Event): ...


class OddTask(asyncio.Task[Any]):
    def get_name(self) -> str:
        raise AssertionError

    def __repr__(self) -> str:
        raise AssertionError


async def odd_lock() -> None:
    before, guard = Explosive(), OddLock()
    await guard.acquire()
    async with guard:
        assert before


async def odd_queue() -> None:
    class Hiding(Explosive):
        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise AssertionError

    class Slotted(Explosive):
        __slots__ = ("empty", "inbox")

        def __init__(self) -> None:
            self.inbox = OddQueue()

    hiding, holder = Hiding(), Slotted()
    await holder.inbox.get()
    assert hiding is not None


async def odd_event() -> None:
    items = {Key("it"): None, "it": OddEvent()}
    await items["it"].wait()  # type: ignore[union-attr]


class Key(str):
    """A key that must not be compared."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        raise AssertionError


ODD: dict[str, tuple[Callable[[], Coroutine[Any, Any, Any]], Told]] = {
    "lock": (odd_lock, Told("lock", "asyncio.Lock.acquire()", "guard", "locked", thing=OddLock)),
    "queue": (odd_queue, Told("queue", "asyncio.Queue.get()", "holder.inbox", "empty, size 0")),
    "event": (odd_event, Told("event", "asyncio.Event.wait()", "items['it']", "not set")),
}


@pytest.mark.parametrize("name", ODD)
def test_no_code_of_the_user_is_run(any_loop: asyncio.AbstractEventLoop, name: str) -> None:
    make, told = ODD[name]
    task = any_loop.create_task(make())
    asyncio_.turn(any_loop, 3)
    told.check(wait_of(task))
    assert waits.armed_until(task) is None


def test_task_of_an_odd_class(loop: asyncio.AbstractEventLoop) -> None:
    async def outer() -> None:
        inner = OddTask(forever(), loop=loop, name="inner")
        try:
            await asyncio.shield(inner)
        finally:
            inner.cancel()

    task = loop.create_task(outer())
    asyncio_.turn(loop, 3)
    wait = wait_of(task)
    assert (wait.kind, wait.what, wait.inside) == ("shield", "task 'inner'", "shield()")
    assert wait_of(wait.thing).kind == "sleep"
    assert waits.awaiters_of(wait.thing, [task]) == [task]
    task.cancel()
    asyncio_.turn(loop, 3)


def test_task_around_the_next_item(loop: asyncio.AbstractEventLoop) -> None:
    every = ticks(lambda: None)
    task: asyncio.Task[int] = loop.create_task(every.__anext__())  # type: ignore[arg-type]
    asyncio_.turn(loop, 2)
    Told("event", "asyncio.Event.wait()", "ready", "not set").check(wait_of(task))
    assert awaiting.coroutine_name(task)[1] == "ticks"
    task.cancel()
    asyncio_.turn(loop, 2)


@types.coroutine
def old_style(ready: asyncio.Event) -> Generator[Any, Any, None]:
    yield from ready.wait().__await__()


class Custom:
    """Awaitable by `__await__` alone, through an iterator of its own."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.behind = future

    def __await__(self) -> Generator[Any, Any, None]:
        return self.behind.__await__()


class Stepping:
    """An iterator that hands on what it is given."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.steps = future.__await__()

    def __await__(self) -> Stepping:
        return self

    def __iter__(self) -> Stepping:
        return self

    def __next__(self) -> Any:
        return next(self.steps)


def test_generator_based_coroutine(loop: asyncio.AbstractEventLoop) -> None:
    async def outer() -> None:
        await old_style(asyncio.Event())

    task = loop.create_task(outer())
    asyncio_.turn(loop, 2)
    Told("event", "asyncio.Event.wait()", "ready", "not set").check(wait_of(task))


@pytest.mark.parametrize("kind", [Custom, Stepping])
def test_custom_awaitable(loop: asyncio.AbstractEventLoop, kind: type[Custom | Stepping]) -> None:
    async def outer() -> None:
        reply = loop.create_future()
        await kind(reply)  # type: ignore[misc]

    task = loop.create_task(outer())
    asyncio_.turn(loop, 2)
    Told("future", "a Future", "reply", on=1, thing=asyncio.Future).check(wait_of(task))


def test_ready_and_unstarted(loop: asyncio.AbstractEventLoop) -> None:
    async def look() -> Wait:
        current = asyncio.current_task()
        assert current is not None
        return wait_of(current)

    async def again() -> None:
        while True:
            await asyncio.sleep(0)

    fresh = loop.create_task(forever())
    assert (wait_of(fresh).kind, wait_of(fresh).what) == ("unstarted", "nothing: it never started")
    spinning = loop.create_task(again())
    asyncio_.turn(loop, 2)
    assert (wait_of(spinning).kind, wait_of(spinning).what) == ("ready", "nothing: it is ready to run")
    fresh.cancel()
    assert wait_of(fresh).kind == "ready"
    now = loop.run_until_complete(look())
    assert (now.kind, now.what) == ("ready", "nothing: it is running")
    assert wait_of(fresh).what == "nothing: it has ended"


def test_what_is_no_task_is_unknown() -> None:
    assert wait_of(object()).kind == "unknown"  # type: ignore[arg-type]
    assert waits.armed_until(object()) is None  # type: ignore[arg-type]
    assert list(awaiting.awaited(object())) == []  # type: ignore[arg-type]


def test_cancelled_and_not_ended(loop: asyncio.AbstractEventLoop) -> None:
    gate = asyncio.Event()

    async def stubborn() -> None:
        try:
            await forever()
        finally:
            await gate.wait()

    async def outer() -> None:
        worker = asyncio.create_task(stubborn(), name="worker")
        await asyncio.sleep(0)
        await asyncio.wait_for(worker, 0)

    task = loop.create_task(outer())
    asyncio_.turn(loop, 6)
    Told("task", "task 'worker'", "worker", "cancelled, and not ended", 1, "wait_for()").check(wait_of(task))
    gate.set()
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        loop.run_until_complete(task)


def test_the_library_names_what_the_user_does_not(loop: asyncio.AbstractEventLoop) -> None:
    """A helper task of `wait_for()` or `shield()` has no code of the user; its caller has."""

    async def outer() -> None:
        inbox: asyncio.Queue[int] = asyncio.Queue()
        await asyncio.shield(inbox.get())

    task = loop.create_task(outer())
    asyncio_.turn(loop, 3)
    assert awaiting.chain(task)[1] == "asyncio.Queue.get() of `inbox`"
    helper = wait_of(task).on[0]
    assert wait_of(helper).name == ""
    assert wait_of(helper, [task]).name == "inbox"
    helper.cancel()
    asyncio_.turn(loop, 3)


def test_names_of_a_module(loop: asyncio.AbstractEventLoop) -> None:
    app = types.ModuleType("app")
    app.POOL = asyncio.Semaphore(0)  # type: ignore[attr-defined]
    names: dict[str, Any] = {"app": app, "GATE": asyncio.Event(), "asyncio": asyncio}
    exec("async def one(): await app.POOL.acquire()\nasync def two(): await GATE.wait()", names)  # noqa: S102
    tasks = [loop.create_task(names[name]()) for name in ("one", "two")]
    asyncio_.turn(loop, 2)
    assert [wait_of(task).name for task in tasks] == ["app.POOL", "GATE"]


def test_names_two_steps_away(loop: asyncio.AbstractEventLoop) -> None:
    class Pool:
        def __init__(self) -> None:
            self.permits = asyncio.Semaphore(0)

    class Client:
        def __init__(self) -> None:
            self.pool = Pool()

        async def call(self) -> None:
            async with self.pool.permits:
                pass

    task = loop.create_task(Client().call())
    asyncio_.turn(loop, 2)
    assert wait_of(task).name == "self.pool.permits"


@pytest.mark.parametrize(
    "shape",
    [wait_for, wait_timed, timeout, timeout_in_helper, timeout_on_stack, wait_for_shield],
    ids=lambda shape: shape.__name__,
)
def test_armed_until(any_loop: asyncio.AbstractEventLoop, shape: Shape) -> None:
    left = waits.armed_until(start(any_loop, shape))
    assert left is not None
    assert LONG / 2 < left < LONG + 1  # uvloop counts in milliseconds


@pytest.mark.parametrize("shape", [sleep, event, timeout_without_end], ids=lambda shape: shape.__name__)
def test_not_armed(any_loop: asyncio.AbstractEventLoop, shape: Shape) -> None:
    assert waits.armed_until(start(any_loop, shape)) is None


def test_nothing_is_armed_on_a_closed_loop(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = start(loop, timeout)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "is_closed", lambda: True)
        assert waits.armed_until(task) is None
        assert wait_of(task).kind == "event"


@pytest.mark.parametrize(
    ("shape", "on"),
    [
        (child, 1),
        (gather, 2),
        (wait_first, 2),
        (group, 2),
        (shield_of_task, 1),
        (future, 1),
        (as_completed, 2),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_awaiters(any_loop: asyncio.AbstractEventLoop, shape: Shape, on: int) -> None:
    task = start(any_loop, shape)
    other = any_loop.create_task(forever())
    asyncio_.turn(any_loop, 2)
    awaited = wait_of(task).on
    assert len(awaited) == on
    for thing in awaited:
        assert waits.awaiters_of(thing, [other, task]) == [task]
    assert waits.awaiters_of(other, [other, task]) == []


def test_awaiters_of_a_concurrent_future(loop: asyncio.AbstractEventLoop) -> None:
    task = start(loop, concurrent_future)
    assert waits.awaiters_of(wait_of(task).thing, [task]) == [task]


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (30, "30 s"),
        (29.2, "30 s"),
        (3599.5, "3600 s"),
        (15, "15 s"),
        (4.02, "5 s"),
        (0.24, "0.3 s"),
        (0.0, "0 s"),
    ],
)
def test_seconds(left: float, text: str) -> None:
    assert details.seconds(left) == text


def test_nothing_is_kept(loop: asyncio.AbstractEventLoop) -> None:
    """What is found may be dropped at once: one look makes nothing live longer."""
    task = start(loop, gather)
    before = sys.getrefcount(task)
    wait = wait_of(task)
    del wait
    assert sys.getrefcount(task) == before


def test_a_look_keeps_no_variable_alive(loop: asyncio.AbstractEventLoop) -> None:
    """Up to 3.12 the variables of a frame are copied into a dictionary that lives as long as it."""

    class Thing: ...

    async def outer() -> None:
        ready, more, thing = asyncio.Event(), asyncio.Event(), Thing()
        events.append(ready)
        things.append(weakref.ref(thing))
        await ready.wait()
        del thing
        await more.wait()

    events: list[asyncio.Event] = []
    things: list[weakref.ref[Thing]] = []
    task = loop.create_task(outer())
    asyncio_.turn(loop, 2)
    assert wait_of(task).name == "ready"
    events[0].set()
    asyncio_.turn(loop, 2)
    assert wait_of(task).name == "more"
    assert things[0]() is None


def test_the_codes_own_locals_are_left_alone(loop: asyncio.AbstractEventLoop) -> None:
    async def outer() -> None:
        ready = asyncio.Event()
        mine = locals()
        seen.append(mine)
        await ready.wait()

    seen: list[dict[str, Any]] = []
    task = loop.create_task(outer())
    asyncio_.turn(loop, 2)
    assert wait_of(task).name == "ready"
    assert "ready" in seen[0]


def test_a_librarys_own_variable_is_told_by_its_class(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(code.FILES, "/lib/site-packages/pool.py", code.LIBRARY)
    names: dict[str, Any] = {"asyncio": asyncio, "__name__": "pool"}
    exec(compile(POOL, "/lib/site-packages/pool.py", "exec"), names)  # noqa: S102
    pool = names["Pool"]()

    async def outer(method: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await method()

    tasks = [loop.create_task(outer(method)) for method in (pool.take, pool.wait)]
    asyncio_.turn(loop, 2)
    assert [wait_of(task).name for task in tasks] == ["Pool._free", ""]
    alone = loop.create_task(pool.wait())
    asyncio_.turn(loop, 2)
    assert wait_of(alone).name == "ready"


POOL = """
class Pool:
    def __init__(self):
        self._free = asyncio.Semaphore(0)
    async def take(self):
        await self._free.acquire()
    async def wait(self):
        ready = asyncio.Event()
        await ready.wait()
"""


def test_a_connection_that_is_being_opened(loop: asyncio.AbstractEventLoop) -> None:
    """The name is looked up in a thread, of which there is none to spare."""
    gate = threading.Event()
    pool = concurrent.futures.ThreadPoolExecutor(1)
    pool.submit(gate.wait, 30)
    loop.set_default_executor(pool)

    async def opening(here: Here) -> None:
        here()
        await asyncio.open_connection("db.invalid", 5432)

    async def serving(here: Here) -> None:
        here()
        await asyncio.start_server(print, "db.invalid", 5432)

    async def looking(here: Here) -> None:
        here()
        await loop.getaddrinfo("db.invalid", 5432)

    tasks = [start(loop, shape) for shape in (opening, serving, looking)]
    said = [(wait.kind, wait.what, wait.detail) for wait in map(wait_of, tasks)]
    assert said == [
        ("stream", "asyncio.open_connection()", "-> db.invalid:5432"),
        ("server", "asyncio.start_server()", "db.invalid:5432"),
        ("executor", "a thread of an executor", "function getaddrinfo(), not started"),
    ]
    for task in tasks:
        task.cancel()
    asyncio_.turn(loop, 3)
    gate.set()


def test_a_socket_that_is_being_connected(loop: asyncio.AbstractEventLoop) -> None:
    async def connect(here: Here) -> None:
        with socket.socket() as ours:
            ours.setblocking(False)
            here()
            await loop.sock_connect(ours, ("127.0.0.1", 9))

    # Nobody answers in this test: the loop does not look at its sockets.
    task = loop.create_task(connect(lambda: None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", Unanswered)
        asyncio_.turn(loop, 1)
    Told(
        *("stream", "asyncio.BaseSelectorEventLoop.sock_connect()", "ours", r".*-> 127\.0\.0\.1:9"),
    ).check(wait_of(task))


class Unanswered(socket.socket):
    def connect(self, address: Any) -> None:
        raise BlockingIOError
