"""S21 and S22: clients that leave in the middle, and clients that never close; who is found, who is let be?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.asgi import AsgiStorm, asgi
from pytest_taskleak.storm.asgi_http import WINDOW
from pytest_taskleak.storm.asgi_scopes import Request
from pytest_taskleak.storm.asgi_server import AsgiServer
from pytest_taskleak.storm.catalogue import chosen
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.lines import SLOW
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.scenarios import perform, replay
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.wire import HIGH

sys.path.insert(0, str(Path(__file__).resolve().parent))

import asgi_apps as apps
from asgi_apps import Message, Receive, Send
from simulated import in_memory

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
SEEDS = tuple(range(int(os.environ.get("STORM_SEEDS", "2"))))
"""Eight in `tox -e storm`."""


def swept(
    make: Any, load: Any, names: str, seeds: tuple[int, ...] = (0,), done: Callable[[Any], Any] | None = None
) -> StormReport:
    choice = chosen(names)
    return perform(choice, Sweep(make, load, "service", choice.axes, seeds, done=done))


def failing(report: StormReport) -> list[tuple[str, str, str]]:
    return [(c.oracle, c.token, c.text) for c in report.causes if c.scale == "violation"]


def letters(report: StormReport) -> set[str]:
    return {oracle for oracle, _, _ in failing(report)}


def token_of(report: StormReport, oracle: str) -> str:
    return next(token for letter, token, _ in failing(report) if letter == oracle)


# --- streams ---------------------------------------------------------------------------------------------


class Lines:
    """Answers each line with a big one, of which one is made at a time.

    Parameters:
        env: the world.
    """

    size = 3 * HIGH

    def __init__(self, env: Env) -> None:
        self.env = env
        self.making = asyncio.Lock()
        self.serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.server = await self.env.server(self.serve)

    def serve(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.get_running_loop().create_task(self.talk(reader, writer), name="talk")
        self.serving.add(task)
        task.add_done_callback(lambda task: self.ended(task, writer))

    def ended(self, task: asyncio.Task[None], writer: Writer) -> None:
        self.serving.discard(task)
        writer.close()

    async def talk(self, reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.readline():
                await self.answer(writer)

    async def answer(self, writer: Writer) -> None:
        async with self.making:
            await asyncio.sleep(0.001)
        writer.write(b"x" * self.size + b"\n")
        await writer.drain()

    async def stop(self) -> None:
        self.server.close()
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)


class Trusting(Lines):
    """Does not think of a client that resets its connection."""

    async def talk(self, reader: Reader, writer: Writer) -> None:
        while await reader.readline():
            await self.answer(writer)

    async def stop(self) -> None:
        self.server.close()
        for task in self.serving:
            task.cancel()
        if self.serving:
            await asyncio.wait(self.serving)


class NotClosed(Lines):
    """Forgets to close where a client has ended its half before it was answered twice."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.forgotten: set[Writer] = set()

    async def talk(self, reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError):
            for _ in range(2):
                if not await reader.readline():
                    self.forgotten.add(writer)
                    return
                await self.answer(writer)

    def ended(self, task: asyncio.Task[None], writer: Writer) -> None:
        if writer not in self.forgotten:
            writer.close()
        self.serving.discard(task)


class HoldsLock(Lines):
    """Holds its lock for as long as a client takes to read."""

    async def answer(self, writer: Writer) -> None:
        async with self.making:
            writer.write(b"x" * self.size + b"\n")
            await writer.drain()


class WaitsForClients(Lines):
    """Waits at its end until all clients have gone of themselves."""

    async def stop(self) -> None:
        self.server.close()
        await self.server.wait_closed()


class WaitsForReaders(Lines):
    """Lets what is being answered come to its end, and closes what is idle."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.idle: set[asyncio.Task[Any] | None] = set()

    async def talk(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        with contextlib.suppress(ConnectionError):
            while self.server.is_serving():
                self.idle.add(task)
                try:
                    line = await reader.readline()
                finally:
                    self.idle.discard(task)
                if not line:
                    break
                await self.answer(writer)

    async def stop(self) -> None:
        self.server.close()
        for task in self.idle:
            if task is not None:
                task.cancel()
        if self.serving:
            await asyncio.wait(self.serving)


async def load(service: Lines, env: Env) -> None:
    for client in range(2):
        env.client(asks(env), name=f"client-{client}", within=4.0)


async def asks(env: Env) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        reader, writer = await env.connect(limit=2**20)
        try:
            for _ in range(2):
                writer.write(b"please\n")
                await reader.readuntil(b"\n")
        finally:
            writer.close()


async def leaves_much_unread(service: Lines, env: Env) -> None:
    env.client(asks_and_goes(env))


async def asks_and_goes(env: Env) -> None:
    reader, writer = await env.connect()
    writer.write(b"please\n")
    await reader.read(1)
    writer.close()


@pytest.mark.parametrize("names", ["S21", "S22"])
@pytest.mark.parametrize("target", [Lines, WaitsForReaders])
def test_a_sound_service_stands_clients_that_leave_and_that_never_close(target: Any, names: str) -> None:
    report = swept(maker(target), load, names, SEEDS if target is Lines else (0,))
    assert failing(report) == []
    assert report.complete
    assert report.left_out == {}
    assert all(axis.ran == axis.planned > 20 for axis in report.axes)


@pytest.mark.parametrize(
    ("target", "letter", "way"),
    [(Trusting, "E", "reset"), (NotClosed, "R", "half"), (HoldsLock, "Q", "slow")],
)
def test_who_does_not_stand_a_client_that_leaves_is_found(target: Any, letter: str, way: str) -> None:
    assert letters(swept(maker(target), load, "stop cancel")) == set(), "who stays does no harm"
    report = swept(maker(target), load, "S21")
    assert letter in letters(report)
    token = token_of(report, letter)
    assert token.startswith(f"disconnect,{way}:"), token
    again = replay(Sweep(maker(target), load, "again", ()), token)
    assert again.deterministic
    assert letter in letters(again)
    assert again.story is not None
    (event,) = [event for event in again.story.lanes[0].events if "the client 'client-" in event.text]
    assert event.mark == "S"


def test_who_waits_for_its_clients_is_found_where_they_never_close() -> None:
    assert letters(swept(maker(WaitsForClients), load, "S1")) == set(), "a client that closes is waited for"
    report = swept(maker(WaitsForClients), load, "S22")
    assert letters(report) >= {"B", "R"}
    assert token_of(report, "B") == "S22/baseline"
    again = replay(Sweep(maker(WaitsForClients), load, "again", ()), "S22/baseline")
    assert letters(again) >= {"B", "R"}


def test_who_waits_for_a_client_to_read_is_found_where_it_never_does() -> None:
    assert letters(swept(maker(WaitsForReaders), leaves_much_unread, "S1")) == set()
    report = swept(maker(WaitsForReaders), leaves_much_unread, "S22")
    assert "B" in letters(report)
    assert letters(swept(maker(Lines), leaves_much_unread, "S22 S21")) == set()


class Paired:
    """Serves one end of a pair that the load has made."""

    def __init__(self, env: Env) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin."""

    def take(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.create_task(self.talk(reader, writer), name="talk")
        task.add_done_callback(lambda _: writer.close())
        self.tasks.append(task)

    async def talk(self, reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class PairedAndWaiting(Paired):
    """Waits until its clients have gone."""

    async def stop(self) -> None:
        await asyncio.gather(*self.tasks)


async def over_a_pair(service: Paired, env: Env) -> None:
    (reader, writer), theirs = env.stream_pair()
    service.take(*theirs)
    writer.write(b"hello\n")
    await reader.readline()
    writer.close()


def test_the_first_end_of_a_pair_is_the_clients() -> None:
    assert failing(swept(maker(Paired), over_a_pair, "S21 S22", (0, 1))) == []
    assert letters(swept(maker(PairedAndWaiting), over_a_pair, "S21 S1")) == set()
    assert "B" in letters(swept(maker(PairedAndWaiting), over_a_pair, "S22"))


# --- what a client does to a stream ----------------------------------------------------------------------


def line_between(way: str, then: Callable[[Any, Any, Env], Any]) -> Any:
    """Connect a client to a server, let it leave in a way, and return what `then` makes of both ends."""

    async def main(env: Env) -> Any:
        taken: asyncio.Future[Any] = env.loop.create_future()

        async def client() -> Any:
            return await env.connect()

        await env.server(lambda *end: taken.set_result(end))
        mine = await env.client(client())
        theirs = await taken
        assert env.lines.leave(0, way)
        return await then(mine, theirs, env)

    return in_memory(main)


def test_a_half_that_is_ended_is_heard_and_what_is_written_then_is_lost() -> None:
    async def then(mine: Any, theirs: Any, env: Env) -> Any:
        mine[1].write(b"lost")
        whole = await theirs[0].read()
        theirs[1].write(b"answer")
        return whole, await mine[0].readexactly(6), env.lines.leave(0, "half")

    assert line_between("half", then) == (b"", b"answer", True)


def test_a_reset_is_heard_and_ends_the_line() -> None:
    async def then(mine: Any, theirs: Any, env: Env) -> Any:
        with pytest.raises(ConnectionResetError):
            await theirs[0].read()
        return await mine[0].read(), env.lines.leave(0, "reset"), env.lines.leave(3, "reset")

    assert line_between("reset", then) == (b"", False, False)


def test_a_slow_client_lets_the_other_side_wait_and_goes_on() -> None:
    async def then(mine: Any, theirs: Any, env: Env) -> Any:
        begun = env.loop.time()
        theirs[1].write(b"x" * 2 * HIGH)
        reading = asyncio.ensure_future(mine[0].readexactly(2 * HIGH))
        await theirs[1].drain()
        waited = env.loop.time() - begun
        return waited, len(await reading)

    waited, came = line_between("slow", then)
    assert waited == pytest.approx(SLOW, abs=0.01)
    assert came == 2 * HIGH


def test_who_never_closes_is_not_heard_to_close() -> None:
    async def main(env: Env) -> Any:
        env.held = True
        taken: asyncio.Future[Any] = env.loop.create_future()

        async def client() -> Any:
            _, writer = await env.connect()
            writer.close()
            await writer.wait_closed()

        await env.server(lambda *end: taken.set_result(end))
        await env.client(client())
        reader, writer = await taken
        reading = asyncio.ensure_future(reader.read())
        await asyncio.sleep(10)
        still = not reading.done(), env.lines.held
        writer.close()
        await writer.wait_closed()
        return *still, await reading

    assert in_memory(main) == (True, 1, b"")


# --- ASGI ------------------------------------------------------------------------------------------------


class KeepsSession(apps.Sound):
    """Opens a session for each stream, and closes it when that comes to its end."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.env = env

    async def stream(self, receive: Receive, send: Send) -> None:
        await receive()
        session = self.env.resource("session").open()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(3):
                await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
                try:
                    async with asyncio.timeout(0.01):
                        await receive()
                except TimeoutError:
                    continue
                self.leave(session)
                return
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            session.close()
            raise
        session.close()

    def leave(self, session: Any) -> None:
        """Forget it."""


class ClosesSession(KeepsSession):
    """Closes it as well when its client has gone."""

    def leave(self, session: Any) -> None:
        session.close()


class MindsCode(apps.Sound):
    """Expects that a websocket is closed in order."""

    async def websocket(self, _: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})
        if message["code"] == 1006:
            raise ValueError("closed without a word")


class Big(apps.Sound):
    """Streams more than fits on the way."""

    async def stream(self, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _number in range(4):
            await send({"type": "http.response.body", "body": b"x" * WINDOW, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


STREAM = [("GET", "/stream")]
SOCKET = [Request(method="WS", path="/ws", body=["one", "two"], reads=2)]
POSTS = [("POST", "/ev/{i}")] * 2


def asgi_swept(app: Any, requests: list[Any], names: str, **options: Any) -> StormReport:
    storm: AsgiStorm = asgi(app, requests, stored=lambda app: list(app.rows), **options)
    seeds = SEEDS if app is apps.Sound else (0,)
    return swept(storm.make, storm.load, names, seeds, storm.done)


@pytest.mark.parametrize("names", ["S21", "S22"])
@pytest.mark.parametrize("app", [apps.Sound, ClosesSession])
def test_a_sound_app_stands_clients_that_leave_and_that_never_close(app: Any, names: str) -> None:
    report = asgi_swept(app, [*POSTS, *STREAM, *SOCKET], names)
    assert failing(report) == []
    assert report.left_out == {}
    assert all(axis.ran == axis.planned > 20 for axis in report.axes)


@pytest.mark.parametrize(
    ("app", "requests", "letter"), [(KeepsSession, STREAM, "R"), (MindsCode, SOCKET, "E")]
)
def test_an_app_that_does_not_stand_a_client_that_leaves_is_found(
    app: Any, requests: list[Any], letter: str
) -> None:
    assert letters(asgi_swept(app, requests, "stop")) == set()
    report = asgi_swept(app, requests, "client_disconnects")
    assert letter in letters(report)
    token = token_of(report, letter)
    assert token.startswith("disconnect,gone:0@")
    storm = asgi(app, requests)
    again = replay(Sweep(storm.make, storm.load, "again", ()), token)
    assert letter in letters(again)
    assert again.story is not None
    assert any("connection 0, goes away" in event.text for event in again.story.lanes[0].events)


@pytest.mark.parametrize(
    ("app", "requests", "letter"), [(apps.Deaf, SOCKET, "B"), (Big, STREAM, "B")], ids=["websocket", "stream"]
)
def test_an_app_that_waits_for_who_stays_is_found(app: Any, requests: list[Any], letter: str) -> None:
    report = asgi_swept(app, requests, "S22")
    assert letter in letters(report), failing(report)
    assert failing(asgi_swept(app, requests, "S22", grace=1.0)) == [], "a bound of the server helps"


def test_a_client_that_is_told_to_leave_stays_in_the_world_of_s22() -> None:
    async def main(env: Env) -> Any:
        env.held = True
        server = AsgiServer(apps.Sound(env), env)
        await server.start()
        answer = await server.ask(Request(method="WS", path="/ws", body=["one"], reads=1, leaves=0.1))
        await asyncio.sleep(5)
        running = len(server._running)
        await server.stop()
        return answer.messages, running, env.lines.held

    assert in_memory(main) == (["ONE"], 1, 1)


# --- where there is no connection ------------------------------------------------------------------------


class NoConnection:
    """Serves nobody."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


@pytest.mark.parametrize("name", ["S21", "S22", "disconnect", "default, open_connections"])
def test_without_a_connection_they_are_refused_with_the_way_to_go(name: str) -> None:
    with pytest.raises(ValueError, match="no client of the load has a connection") as caught:
        swept(maker(NoConnection), None, name)
    for way in ("shutdown_storm.asgi", "env.server()", "env.connect()", "env.stream_pair()"):
        assert way in str(caught.value)


def test_requests_that_are_answered_at_once_leave_nothing_open() -> None:
    assert failing(asgi_swept(apps.Sound, POSTS, "S21")) == []
    with pytest.raises(ValueError, match="with a stream or a websocket"):
        asgi_swept(apps.Sound, POSTS, "S22")


def test_who_fails_without_any_trigger_is_told_that_and_not_refused() -> None:
    class Fails(NoConnection):
        async def stop(self) -> None:
            raise KeyError("no")

    assert letters(swept(maker(Fails), None, "S21 S22")) == {"E", "I"}


def test_a_preset_leaves_them_out_and_says_so() -> None:
    report = swept(maker(NoConnection), None, "thorough")
    assert failing(report) == []
    assert report.left_out["S21 client_disconnects"].startswith("no client of the load has a connection")
    assert report.left_out["S22 open_connections"].startswith("no client of the load has a connection")
    assert not any(axis.axis.startswith(("disconnect", "S22")) for axis in report.axes)
    storm = asgi(apps.Sound, [*POSTS[:1], *SOCKET], stored=lambda app: list(app.rows))
    report = swept(storm.make, storm.load, "thorough", (0,), storm.done)
    assert failing(report) == []
    assert {"disconnect", "S22/stop", "S22/cancel"} <= {axis.axis for axis in report.axes}
    assert not {"S21 client_disconnects", "S22 open_connections"} & report.left_out.keys()
