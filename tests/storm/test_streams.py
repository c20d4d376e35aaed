"""Code that is written to streams: does memory behave as sockets do, and is it found what a stop breaks?"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.wire import HIGH

sys.path.insert(0, str(Path(__file__).resolve().parent))

from simulated import in_memory

HOST, PORT = "localhost", 7
AXES = ("stop", "cancel", "stop2", "kill", "fault")

Listen = Callable[..., Awaitable[Any]]
Connect = Callable[..., Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Scene = Callable[[Listen, Connect, list[str]], Coroutine[Any, Any, None]]


# --- the same as sockets ---------------------------------------------------------------------------------


async def echo(listen: Listen, connect: Connect, told: list[str]) -> None:
    """Lines go there and come back in their order; the server is told of the end."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        told.append(f"server: at the end {reader.at_eof()}")
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await listen(serve)
    reader, writer = await connect()
    for word in ("one", "two", "three"):
        writer.write(f"{word}\n".encode())
        told.append(repr(await reader.readline()))
    writer.writelines([b"a\n", b"b\n"])
    told.append(repr(await reader.readexactly(4)))
    told.append(f"closing {writer.is_closing()}")
    writer.close()
    await writer.wait_closed()
    told.append(f"closing {writer.is_closing()}")
    await over.wait()
    server.close()
    await server.wait_closed()
    told.append(f"serving {server.is_serving()}")


async def half_close(listen: Listen, connect: Connect, told: list[str]) -> None:
    """A client ends its half, and still gets its answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = await reader.read()
        writer.write(b"%d bytes" % len(whole))
        writer.close()

    server = await listen(serve)
    reader, writer = await connect()
    writer.write(b"x" * 1000)
    told.append(f"can {writer.can_write_eof()}")
    writer.write_eof()
    with pytest.raises(RuntimeError):
        writer.write(b"too late")
    told.append(repr(await reader.read()))
    told.append(repr(await reader.read()))
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def closed_at_once(listen: Listen, connect: Connect, told: list[str]) -> None:
    """A server that closes at once: the client reads the end, and its writes fail after a while."""
    server = await listen(lambda reader, writer: writer.close())
    reader, writer = await connect()
    told.append(repr(await reader.read(10)))
    try:
        for _ in range(200):
            writer.write(b"hello")
            await writer.drain()
            await asyncio.sleep(0.001)
    except ConnectionError:
        told.append("a write fails")
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def refused(listen: Listen, connect: Connect, told: list[str]) -> None:
    """Who listens no more is not reached; who is connected stays so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    server = await listen(serve)
    reader, writer = await connect()
    writer.write(b"before\n")
    server.close()
    try:
        await connect()
    except OSError as error:
        told.append(f"refused {isinstance(error, ConnectionRefusedError)}")
    told.append(repr(await reader.read()))
    writer.close()
    await writer.wait_closed()
    await server.wait_closed()


async def cut_line(listen: Listen, connect: Connect, told: list[str]) -> None:
    """A client that goes in the middle of a record is an `IncompleteReadError`, with what had come."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(10)
        except asyncio.IncompleteReadError as error:
            told.append(repr(error.partial))
        writer.close()
        over.set()

    server = await listen(serve)
    _, writer = await connect()
    writer.write(b"123")
    writer.close()
    await over.wait()
    server.close()
    await server.wait_closed()


SCENES: list[Scene] = [echo, half_close, closed_at_once, refused, cut_line]


@pytest.mark.parametrize("scene", SCENES)
def test_memory_behaves_as_sockets_do(scene: Scene) -> None:
    real: list[str] = []
    memory: list[str] = []

    async def with_sockets() -> None:
        ports: list[int] = []

        async def listen(handler: Any) -> Any:
            server = await asyncio.start_server(handler, "127.0.0.1", 0)
            ports.append(server.sockets[0].getsockname()[1])
            return server

        async def connect() -> Any:
            return await asyncio.open_connection("127.0.0.1", ports[-1])

        async with asyncio.timeout(20):
            await scene(listen, connect, real)

    async def without(env: Env) -> None:
        await scene(lambda handler: env.server(handler, HOST, PORT), lambda: env.connect(HOST, PORT), memory)

    asyncio.run(with_sockets())
    in_memory(without)
    assert memory == real
    assert real


# --- what only memory can show ---------------------------------------------------------------------------


def test_a_pair_takes_virtual_time_and_keeps_the_order() -> None:
    async def main(env: Env) -> tuple[float, bytes]:
        (one, _), (_, other) = env.stream_pair(latency=(1.0, 9.0))
        begun = env.loop.time()
        for number in range(10):
            other.write(b"%d" % number)
        return env.loop.time() - begun, await one.readexactly(10)

    sent, came = in_memory(main)
    assert sent == 0
    assert came == b"0123456789"


def test_a_slow_reader_is_waited_for() -> None:
    async def main(env: Env) -> list[str]:
        (reader, _), (_, writer) = env.stream_pair(limit=1024)
        told = []
        writer.write(b"x" * (HIGH + 10_000))
        drained = asyncio.ensure_future(writer.drain())
        await asyncio.sleep(5)
        told.append(f"waits {not drained.done()}")
        while not drained.done():
            await reader.read(4096)
        told.append("goes on")
        return told

    assert in_memory(main) == ["waits True", "goes on"]


def test_a_reset_loses_what_is_on_its_way() -> None:
    async def main(env: Env) -> str:
        (reader, writer), (_, other) = env.stream_pair()
        other.write(b"on its way")
        other.transport.abort()
        with pytest.raises(ConnectionResetError):
            await reader.read(100)
        with pytest.raises(ConnectionResetError):
            writer.write(b"more")
            await writer.drain()
        return "reset"

    assert in_memory(main) == "reset"


def test_a_close_waits_for_who_does_not_read_and_ends_when_that_one_goes() -> None:
    async def main(env: Env) -> list[bool]:
        (_, one), (_, other) = env.stream_pair(limit=1024)
        one.write(b"x" * (HIGH * 2))
        one.close()
        closing = asyncio.ensure_future(one.wait_closed())
        await asyncio.sleep(5)
        waits = not closing.done()
        other.close()
        await asyncio.wait({closing}, timeout=5)
        return [waits, closing.done()]

    assert in_memory(main) == [True, True]


def test_nobody_listens_twice_and_names_are_told() -> None:
    async def main(env: Env) -> Any:
        server = await env.server(lambda reader, writer: writer.close(), HOST, PORT)
        with pytest.raises(OSError, match="somebody listens"):
            await env.server(lambda reader, writer: None, HOST, PORT)
        _, writer = await env.connect(HOST, PORT)
        return server.is_serving(), writer.get_extra_info("peername"), writer.get_extra_info("socket")

    assert in_memory(main) == (True, (HOST, PORT), None)


def test_a_server_is_closed_by_its_block_and_by_the_end_of_serve_forever() -> None:
    async def main(env: Env) -> list[bool]:
        told = []
        async with await env.server(lambda reader, writer: writer.close(), HOST, PORT) as server:
            told.append(server.is_serving())
        told.append(server.is_serving())
        server = await env.server(lambda reader, writer: writer.close(), HOST, PORT)
        forever = asyncio.ensure_future(server.serve_forever())
        await asyncio.sleep(1)
        forever.cancel()
        await asyncio.wait({forever})
        told.append(server.is_serving())
        return told

    assert in_memory(main) == [True, False, False]


# --- under the storm -------------------------------------------------------------------------------------


class Lines:
    """Stores the lines that clients send, and answers each."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.save = env.dep("save")
        self.rows: list[bytes] = []
        self.serving: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self.server = await self.env.server(self.serve, HOST, PORT)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self.talk(reader, writer), name="talk")
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        task.add_done_callback(lambda _: writer.close())

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                await self.store(line)
                writer.write(b"stored " + line)
                await writer.drain()

    async def store(self, line: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # a failure is tried once more
            await self.save()
            self.rows.append(line)
            return
        await self.save()
        self.rows.append(line)

    async def stop(self) -> None:
        self.server.close()
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)


class Coroutines(Lines):
    """Leaves it to the server to make a task for each connection."""

    async def start(self) -> None:
        self.server = await self.env.server(self.serve_one, HOST, PORT)

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            await self.talk(reader, writer)
        finally:
            self.serving.discard(task)
            writer.close()

    async def stop(self) -> None:
        self.server.close()
        await asyncio.sleep(0)  # who was accepted just now has begun
        await super().stop()


class Raises(Coroutines):
    """Fails on what it does not know."""

    async def store(self, line: bytes) -> None:
        raise ValueError(line)


class NotWaitedFor(Lines):
    """Stops listening, and forgets those that are connected."""

    async def stop(self) -> None:
        self.server.close()


class NotClosed(Lines):
    """Ends its tasks, and leaves their connections open."""

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self.talk(reader, writer), name="talk")
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)


class StillListening(Lines):
    """Ends all but its own ear."""

    async def stop(self) -> None:
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)


class AnswersFirst(Lines):
    """Says that a line is stored before it is."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(b"stored " + line)
                await self.store(line)


class WaitsForClients(Lines):
    """Waits at its end until all clients have gone of themselves."""

    async def stop(self) -> None:
        self.server.close()
        await self.server.wait_closed()


class RealSockets(Lines):
    """Reaches for a socket."""

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)  # type: ignore[assignment]


async def load(service: Lines, env: Env) -> None:
    for client in range(3):
        env.client(sends(env, [b"%d-%d\n" % (client, number) for number in range(3)]))


async def stays(service: Lines, env: Env) -> None:
    env.client(sends(env, [b"0-0\n"], stay=True))
    await asyncio.sleep(1)


async def sends(env: Env, lines: list[bytes], *, stay: bool = False) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        reader, writer = await env.connect(HOST, PORT)
        try:
            for line in lines:
                writer.write(line)
                if await reader.readuntil(b"\n") == b"stored " + line:
                    env.accept(line)
            while stay and await reader.read(1):
                pass
        finally:
            writer.close()


def stored(service: Lines) -> list[bytes]:
    """Return what is stored; what was stored without its client knowing is no loss."""
    return [row for row in service.rows if row in service.env.ledger.accepted]


def swept(target: type[Lines], how: Any = load, seeds: tuple[int, ...] = (0,)) -> StormReport:
    return Sweep(maker(target), how, target.__name__, AXES, seeds=seeds, done=stored).sweep()


def letters(report: StormReport) -> set[str]:
    return {cause.oracle for cause in report.causes}


@pytest.mark.parametrize("target", [Lines, Coroutines])
def test_a_sound_service_is_sound_at_every_moment(target: type[Lines]) -> None:
    report = swept(target, seeds=(0, 1, 2))
    assert [cause for cause in report.causes if cause.scale != "indeterminate"] == []
    assert report.complete
    assert report.deterministic
    assert {result.axis for result in report.axes} == set(AXES)
    assert all(result.ran for result in report.axes)


@pytest.mark.parametrize(
    ("target", "how", "letter"),
    [
        (Raises, load, "E"),
        (NotWaitedFor, load, "T"),
        (NotClosed, load, "R"),
        (StillListening, load, "R"),
        (AnswersFirst, load, "L"),
        pytest.param(WaitsForClients, stays, "B", id="WaitsForClients"),
    ],
)
def test_a_mistake_is_found(target: type[Lines], how: Any, letter: str) -> None:
    assert letter in letters(swept(target, how))


def test_what_is_left_open_is_named() -> None:
    texts = [cause.text for cause in swept(NotClosed).causes if cause.oracle == "R"]
    assert any("connection to server localhost:7" in text for text in texts), texts
    texts = [cause.text for cause in swept(StillListening).causes if cause.oracle == "R"]
    assert any("'server localhost:7' is open" in text for text in texts), texts


def test_a_socket_is_refused_with_the_way_to_go() -> None:
    (refused,) = [cause for cause in swept(RealSockets).causes if cause.oracle == "N"]
    for word in ("env.server()", "env.connect()", "env.stream_pair()", "shutdown_storm.asgi"):
        assert word in refused.text


def test_a_replay_comes_to_the_same() -> None:
    sweep = Sweep(maker(AnswersFirst), load, "AnswersFirst", ("kill",), done=stored)
    (lost,) = [cause for cause in sweep.sweep().causes if cause.oracle == "L"]
    told = {tuple(v.oracle for v in sweep.replay(lost.token).violations) for _ in range(20)}
    assert len(told) == 1
    assert "L" in told.pop()
