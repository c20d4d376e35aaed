"""What does a scenario do in the real world, and how is it done?

Each function of `OPERATIONS` does one thing and returns when it is done.  Of the time that passes on the
clock meanwhile all is known: `Action.think` seconds, and none while anything real is under way.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

really_sleep, real_time = (
    time.sleep,
    time.perf_counter,
)  # of the real world, whatever the clock does to threads
Worker = concurrent.futures.ThreadPoolExecutor
LOCAL = "127.0.0.1"
ECHO = """
import contextlib, socket, time
server = socket.create_server(("127.0.0.1", 0), backlog=100)
print(server.getsockname()[1], flush=True)
while True:
    one, _ = server.accept()
    with contextlib.suppress(OSError, ValueError), one, one.makefile("rwb") as file:
        size, _, work, *_ = file.readline().split()
        data = file.read(int(size))
        time.sleep(float(work))
        file.write(data)
"""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a task does.

    Parameters:
        kind: a key of `OPERATIONS`.
        think: virtual seconds that it takes.
        work: real seconds that it works.
        how: in which way it works, a key of `TOIL`.
        size: how many bytes, or how many times.
        guard: what limits its time, a key of `GUARDS`.
        limit: virtual seconds.
    """

    kind: str
    think: float = 0.0
    work: float = 0.0
    how: str = "sleep"
    size: int = 1
    guard: str = "none"
    limit: float = 0.0

    @property
    def head(self) -> bytes:
        """The line by which a server is told what to do."""
        return f"{self.size} {self.think} {self.work} {self.how}\n".encode()

    @property
    def toil(self) -> Callable[[], None]:
        """Its real work."""
        return partial(toil, self.how, self.work)


class Wrong(AssertionError):
    """Something came in the wrong order, or at the wrong time."""


# --- real work ----------------------------------------------------------------------------------------


def toil(how: str, seconds: float) -> None:
    """Work for some real time."""
    if seconds:
        TOIL[how](seconds)


def _spin(seconds: float) -> None:
    end = real_time() + seconds
    while real_time() < end:
        pass


def _hash(seconds: float) -> None:
    hashlib.sha256(bytes(int(seconds * 4e8))).digest()  # without the interpreter's lock


def _join(seconds: float) -> None:
    other = threading.Thread(target=really_sleep, args=(seconds,))
    other.start()
    other.join()


def _hand_over(seconds: float) -> None:
    items: queue.Queue[int] = queue.Queue()

    def give() -> None:
        for number in range(3):
            really_sleep(seconds / 3)
            items.put(number)

    threading.Thread(target=give).start()
    if [items.get() for _ in range(3)] != [0, 1, 2]:
        raise Wrong("items of a queue came in another order")


TOIL: dict[str, Callable[[float], None]] = {
    "sleep": really_sleep,
    "spin": _spin,
    "hash": _hash,
    "join": _join,
    "hand over": _hand_over,
}


# --- the place ----------------------------------------------------------------------------------------


@dataclass
class Place:
    """What the scenarios of one loop share."""

    loop: asyncio.AbstractEventLoop
    pool: concurrent.futures.ThreadPoolExecutor
    tcp: Any = None
    unix: str = ""
    tls: Any = None
    threaded: Any = None
    outside: Any = None
    signalled: list[asyncio.Future[None]] = field(default_factory=list)

    def future(self) -> tuple[asyncio.Future[Any], Callable[[Any], None]]:
        """Return a future, and what sets its result from another thread."""
        future = self.loop.create_future()

        def put(value: Any) -> None:
            if not future.done():
                future.set_result(value)

        def done(value: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self.loop.call_soon_threadsafe(put, value)

        return future, done

    def on_signal(self) -> None:
        """Tell all who wait for a signal."""
        while self.signalled:
            future = self.signalled.pop()
            if not future.done():
                future.set_result(None)


def unchecked(*, server: bool) -> ssl.SSLContext:
    """Return a context for TLS without certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


@contextlib.asynccontextmanager
async def a_place(*, outside: bool) -> AsyncIterator[Place]:
    """Open what scenarios use, and close it.

    Parameters:
        outside: a server in another process, too.
    """
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        place = Place(loop, stack.enter_context(Worker(2, "pool")))
        servers = [await asyncio.start_server(_serve, LOCAL, 0, backlog=100)]
        place.tcp = servers[0].sockets[0].getsockname()
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        place.unix = os.path.join(folder, "unix")
        servers.append(await asyncio.start_unix_server(_serve, place.unix))
        servers.append(await asyncio.start_server(_serve, LOCAL, 0, ssl=unchecked(server=True)))
        place.tls = servers[-1].sockets[0].getsockname()
        for server in servers:
            stack.callback(server.close)
        listener = stack.enter_context(socket.create_server((LOCAL, 0), backlog=100))
        place.threaded = listener.getsockname()
        stack.callback(_end_server, place.threaded)
        threading.Thread(target=_serve_in_thread, args=(listener,), name="server", daemon=True).start()
        loop.add_signal_handler(signal.SIGUSR1, place.on_signal)
        stack.callback(loop.remove_signal_handler, signal.SIGUSR1)
        if outside:
            child = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
            )
            stack.callback(child.kill)
            assert child.stdout is not None
            place.outside = (LOCAL, int(child.stdout.readline()))
        yield place


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readline():
            size, think, work, how = head.decode().split(maxsplit=3)
            data = await reader.readexactly(int(size))
            if float(think):
                await asyncio.sleep(float(think))
            if float(work):
                await asyncio.to_thread(toil, how.strip(), float(work))
            writer.write(data)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # whoever asked has given up
    finally:
        writer.close()


def _serve_in_thread(listener: socket.socket) -> None:
    while True:
        one, _ = listener.accept()
        with contextlib.suppress(ConnectionError), one, one.makefile("rwb") as file:
            head = file.readline()
            if not head:
                return
            size, _, work, how = head.decode().split(maxsplit=3)
            data = file.read(int(size))
            toil(how.strip(), float(work))
            file.write(data)


def _end_server(address: Any) -> None:
    socket.create_connection(address).close()


class Datagrams(asyncio.DatagramProtocol):
    """Sends back what it gets."""

    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        think = float(data.split(maxsplit=2)[1])
        if think:
            asyncio.get_running_loop().call_later(think, self.answer, data, addr)
        else:
            self.answer(data, addr)

    def answer(self, data: bytes, address: Any) -> None:
        """Send it back, if somebody still wants it."""
        if not self.transport.is_closing():
            self.transport.sendto(data, address)


# --- connections --------------------------------------------------------------------------------------


async def _ask(
    action: Action, connecting: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
) -> None:
    reader, writer = await connecting
    try:
        data = os.urandom(16) * (action.size // 16) + bytes(action.size % 16)
        writer.write(action.head + data)
        await writer.drain()
        if await reader.readexactly(action.size) != data:
            raise Wrong("other bytes came back")
    finally:
        writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def tcp(place: Place, action: Action) -> None:
    await _ask(action, asyncio.open_connection(*place.tcp))


async def unix(place: Place, action: Action) -> None:
    await _ask(action, asyncio.open_unix_connection(place.unix))


async def tls(place: Place, action: Action) -> None:
    await _ask(action, asyncio.open_connection(*place.tls, ssl=unchecked(server=False)))


async def threaded(place: Place, action: Action) -> None:
    await _ask(action, asyncio.open_connection(*place.threaded))


async def outside(place: Place, action: Action) -> None:
    await _ask(action, asyncio.open_connection(*place.outside))


async def udp(place: Place, action: Action) -> None:
    got = place.loop.create_future()

    class Answer(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            if not got.done():
                got.set_result(data)

    ends = []
    try:
        server, _ = await place.loop.create_datagram_endpoint(Datagrams, (LOCAL, 0))
        ends.append(server)
        address = server.get_extra_info("sockname")
        client, _ = await place.loop.create_datagram_endpoint(Answer, remote_addr=address)
        ends.append(client)
        data = action.head + bytes(action.size % 1000)
        client.sendto(data)
        if await got != data:
            raise Wrong("another datagram came back")
    finally:
        for transport in ends:
            transport.close()


async def pair(place: Place, action: Action) -> None:
    """Both ends in the loop; more than the system keeps for them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)

        async def receive() -> None:
            left = action.size
            while left:
                left -= len(await place.loop.sock_recv(theirs, 1 << 16))

        await asyncio.gather(place.loop.sock_sendall(ours, bytes(action.size)), receive())


async def pair_thread(place: Place, action: Action) -> None:
    """A thread at the other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    def send() -> None:
        with theirs, contextlib.suppress(ConnectionError):
            action.toil()
            theirs.sendall(bytes(action.size))

    with ours:
        threading.Thread(target=send).start()
        left = action.size
        while left:
            left -= len(await place.loop.sock_recv(ours, 1 << 16))


async def pipe(place: Place, action: Action) -> None:
    """A thread that writes to a pipe."""
    read, write = os.pipe()
    reader = asyncio.StreamReader()

    def send() -> None:
        action.toil()
        with os.fdopen(write, "wb") as file, contextlib.suppress(BrokenPipeError):
            file.write(bytes(action.size))

    threading.Thread(target=send).start()
    stock = isinstance(place.loop, asyncio.BaseEventLoop)  # uvloop closes the number, and then the file again
    file = os.fdopen(read, "rb", closefd=stock)
    transport, _ = await place.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    try:
        if len(await reader.read()) != action.size:
            raise Wrong("bytes of a pipe are missing")
    finally:
        transport.close()


async def watched(place: Place, action: Action) -> None:
    """A reader that the loop calls."""
    ours, theirs = socket.socketpair()
    future, _ = place.future()
    ours.setblocking(False)

    def put() -> None:
        if not future.done():
            future.set_result(None)

    def send() -> None:
        with theirs:
            action.toil()
            theirs.send(b"x")

    threading.Thread(target=send).start()
    place.loop.add_reader(ours, put)
    try:
        await future
    finally:
        place.loop.remove_reader(ours)
        ours.close()


async def lookup(place: Place, action: Action) -> None:
    await place.loop.getaddrinfo("localhost", 80)


# --- threads and pools --------------------------------------------------------------------------------


async def thread(place: Place, action: Action) -> None:
    future, done = place.future()
    threading.Thread(target=lambda: (action.toil(), done(1))).start()
    await future


async def thread_items(place: Place, action: Action) -> None:
    """A thread that hands over several things, one after the other."""
    items: asyncio.Queue[int] = asyncio.Queue()
    count = action.size % 5 + 1

    def give() -> None:
        for number in range(count):
            toil(action.how, action.work / count)
            place.loop.call_soon_threadsafe(items.put_nowait, number)

    threading.Thread(target=give).start()
    if [await items.get() for _ in range(count)] != list(range(count)):
        raise Wrong("items of a thread came in another order")


async def threads_chained(place: Place, action: Action) -> None:
    """Threads that wait for each other; the last one tells the loop."""
    future, done = place.future()
    first, second = threading.Event(), threading.Event()

    def wait(before: threading.Event, then: Callable[[], None]) -> None:
        before.wait()
        toil(action.how, action.work / 2)
        then()

    threading.Thread(target=wait, args=(second, lambda: done(1))).start()
    threading.Thread(target=wait, args=(first, second.set)).start()
    first.set()
    await future


async def to_thread(place: Place, action: Action) -> None:
    await asyncio.to_thread(action.toil)


async def executor(place: Place, action: Action) -> None:
    await place.loop.run_in_executor(place.pool, action.toil)


async def submit(place: Place, action: Action) -> None:
    await asyncio.wrap_future(place.pool.submit(action.toil))


async def pool_callback(place: Place, action: Action) -> None:
    future, done = place.future()
    place.pool.submit(action.toil).add_done_callback(done)
    await future


async def fresh_pool(place: Place, action: Action) -> None:
    """A pool of its own, with more calls than workers."""
    pool = Worker(1)
    try:
        await asyncio.gather(
            *(place.loop.run_in_executor(pool, toil, action.how, action.work / 3) for _ in range(3))
        )
    finally:
        pool.shutdown(wait=False)


async def anyio_thread(place: Place, action: Action) -> None:
    await anyio.to_thread.run_sync(action.toil)


async def from_thread(place: Place, action: Action) -> None:
    """A worker that calls back into the loop, which takes virtual time."""

    def call() -> None:
        action.toil()
        anyio.from_thread.run(asyncio.sleep, action.think)

    await anyio.to_thread.run_sync(call, abandon_on_cancel=True)


async def threadsafe(place: Place, action: Action) -> None:
    """A thread that runs a coroutine in the loop, which takes virtual time, and waits for it."""
    future, done = place.future()

    def call() -> None:
        action.toil()
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(action.think), place.loop).result()
        done(1)

    threading.Thread(target=call, daemon=True).start()
    await future


async def other_loop(place: Place, action: Action) -> None:
    """A loop in a thread, in the same virtual time."""
    future, done = place.future()
    tasks: list[asyncio.Task[Any]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await asyncio.sleep(action.think / 2)
        action.toil()
        await asyncio.sleep(action.think / 2)

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError), asyncio.Runner() as runner:
            runner.run(main())
        done(1)

    threading.Thread(target=run, daemon=True).start()
    try:
        await future
    except asyncio.CancelledError:
        for task in tasks:
            with contextlib.suppress(RuntimeError):  # it is over
                task.get_loop().call_soon_threadsafe(task.cancel)
        raise


async def a_signal(place: Place, action: Action) -> None:
    future = place.loop.create_future()
    place.signalled.append(future)

    def send() -> None:
        action.toil()
        os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=send).start()
    await future


async def child(place: Place, action: Action) -> None:
    line = f"sleep {action.work}; cat"
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", line, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate(bytes(action.size))
    if len(out) != action.size:
        raise Wrong("bytes of a child are missing")


async def child_exit(place: Place, action: Action) -> None:
    process = await asyncio.create_subprocess_exec("/bin/sh", "-c", f"sleep {action.work}; exit 3")
    if await process.wait() != 3:
        raise Wrong("another exit status")


# --- threads in virtual time --------------------------------------------------------------------------


async def _in_thread(place: Place, function: Callable[[], Any]) -> None:
    future, done = place.future()
    threading.Thread(target=lambda: (function(), done(1)), daemon=True).start()
    await future


async def thread_sleeps(place: Place, action: Action) -> None:
    def rest() -> None:
        time.sleep(action.think / 2)
        action.toil()
        time.sleep(action.think / 2)

    await _in_thread(place, rest)


async def thread_waits(place: Place, action: Action) -> None:
    await _in_thread(place, lambda: (action.toil(), threading.Event().wait(action.think)))


async def thread_gets(place: Place, action: Action) -> None:
    def get() -> None:
        with contextlib.suppress(queue.Empty):
            queue.Queue[int]().get(timeout=action.think)
            raise Wrong("an empty queue gave something")

    await _in_thread(place, get)


async def thread_result(place: Place, action: Action) -> None:
    def result() -> None:
        with contextlib.suppress(concurrent.futures.TimeoutError):
            concurrent.futures.Future[int]().result(action.think)

    await _in_thread(place, result)


async def thread_timer(place: Place, action: Action) -> None:
    future, done = place.future()
    timer = threading.Timer(action.think, done, (1,))
    timer.daemon = True
    timer.start()
    await future


# --- virtual time alone -------------------------------------------------------------------------------

COUNTS = (1, 2, 4, 5, 10, 20)
"""In so many parts a delay may be cut, so that each is whole microseconds."""


async def sleep(place: Place, action: Action) -> None:
    await asyncio.sleep(action.think)


async def event(place: Place, action: Action) -> None:
    one = asyncio.Event()
    place.loop.call_later(action.think, one.set)
    await one.wait()


async def ticker(place: Place, action: Action) -> None:
    count, began = COUNTS[action.size % len(COUNTS)], place.loop.time()
    for number in range(count):
        await asyncio.sleep(action.think / count)
        passed = place.loop.time() - began
        if abs(passed - (number + 1) * action.think / count) > 1e-8:
            raise Wrong(f"tick {number} of {count} came after {passed} s")


async def ties(place: Place, action: Action) -> None:
    order: list[int] = []
    when = place.loop.time() + action.think
    count = action.size % 12 + 2
    for number in range(count):
        place.loop.call_at(when, order.append, number)
    await asyncio.sleep(action.think)
    await asyncio.sleep(0)
    if order != list(range(count)):
        raise Wrong(f"equal timers fired in the order {order}")


async def backwards(place: Place, action: Action) -> None:
    order: list[int] = []
    count = COUNTS[action.size % len(COUNTS)]
    for number in range(count, 0, -1):
        place.loop.call_later(action.think * number / count, order.append, number)
    place.loop.call_later(action.think / 2, order.append, -1).cancel()
    await asyncio.sleep(action.think)
    await asyncio.sleep(0)
    if order != list(range(1, count + 1)):
        raise Wrong(f"timers fired in the order {order}")


async def abandoned(place: Place, action: Action) -> None:
    """A task that works in a thread is cancelled, and its thread works on."""
    task = asyncio.create_task(asyncio.to_thread(action.toil))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(action.think)


Operation = Callable[[Place, Action], Coroutine[Any, Any, None]]
CONNECTIONS = (tcp, unix, tls, threaded, udp, pair, pair_thread, pipe, watched)
THREADS = (
    *(
        thread,
        thread_items,
        threads_chained,
        to_thread,
        executor,
        submit,
        pool_callback,
        fresh_pool,
        anyio_thread,
    ),
    *(lookup, from_thread, threadsafe, other_loop, a_signal),
)
CHILDREN = (child, child_exit)
IN_THREADS = (thread_sleeps, thread_waits, thread_gets, thread_result, thread_timer)
VIRTUAL = (sleep, event, ticker, ties, backwards, abandoned)
OPERATIONS: dict[str, Operation] = {
    function.__name__: function
    for function in (*CONNECTIONS, *THREADS, *CHILDREN, *IN_THREADS, *VIRTUAL, outside)
}
THINKS = {
    *("tcp", "unix", "tls", "udp", "from_thread", "threadsafe", "other_loop"),
    *(function.__name__ for function in (*IN_THREADS, *VIRTUAL)),
}
"""Those that may take virtual time."""
