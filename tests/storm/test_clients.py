"""What does a storm say of a client that was cut off, and of one that an exception has hit by accident?"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_taskleak.adapt.quiet import MOST_PRINTED
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.asgi import asgi
from pytest_taskleak.storm.asgi_scopes import Request
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.results import Cause, StormReport
from pytest_taskleak.storm.sweep import Sweep

AXES = ("stop", "cancel", "stop2", "kill")
Told = list[tuple[str, str, str]]


def swept(target: Any, load: Any, axes: tuple[str, ...] = AXES, **options: Any) -> StormReport:
    report = Sweep(maker(target), load, "service", axes, **options).sweep()
    assert report.deterministic
    return report


def told(report: StormReport) -> Told:
    """Return what is told of each cause: letter, scale, and the first words."""
    return [(cause.oracle, cause.scale, cause.text.partition(":")[0]) for cause in report.causes]


def only(report: StormReport) -> Cause:
    (cause,) = report.causes
    return cause


# --- cut off ---------------------------------------------------------------------------------------------


class Answering:
    """Answers each caller after a while; once it is stopped it refuses."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.waiting: dict[int, asyncio.Future[int]] = {}
        self.timers: list[asyncio.TimerHandle] = []
        self.closed = False

    async def start(self) -> None:
        self.closed = False

    async def ask(self, number: int) -> int:
        if self.closed:
            raise ConnectionError("closed")
        loop = asyncio.get_running_loop()
        coming: asyncio.Future[int] = loop.create_future()
        self.waiting[number] = coming
        self.timers.append(loop.call_later(0.01, self.answer, number))
        return await coming

    def answer(self, number: int) -> None:
        if not self.waiting[number].done():
            self.waiting[number].set_result(number)

    async def stop(self) -> None:
        self.closed = True
        for timer in self.timers:
            timer.cancel()
        for coming in self.waiting.values():
            self.end(coming)
        self.waiting.clear()

    def end(self, coming: asyncio.Future[int]) -> None:
        """Tell a caller that there is no answer."""
        if not coming.done():
            coming.set_exception(ConnectionError("closed"))


class Cutting(Answering):
    """Cancels those who wait."""

    def end(self, coming: asyncio.Future[int]) -> None:
        coming.cancel()


async def one_ask(service: Answering, number: int) -> None:
    await service.ask(number)


def three_ask(service: Answering, env: Env) -> None:
    for number in range(3):
        env.client(one_ask(service, number))


def test_a_client_whose_wait_is_cancelled_is_indeterminate() -> None:
    report = swept(Cutting, three_ask)
    cause = only(report)
    assert (cause.oracle, cause.scale) == ("Q", "indeterminate")
    assert cause.text.startswith("client 'client-1': what it waited for was cancelled, and nobody knows")
    assert "it stood at one_ask:" in cause.text
    assert cause.text.endswith("(and client-2, client-3)")
    assert cause.count > 3
    assert cause.token.startswith("stop@")
    assert not report.failing
    assert all(axis.failing == 0 and set(axis.marks.values()) == {"."} for axis in report.axes)


def test_a_client_that_is_refused_is_answered() -> None:
    assert swept(Answering, three_ask).causes == []


def test_its_token_shows_it() -> None:
    cause = only(swept(Cutting, three_ask))
    again = Sweep(maker(Cutting), three_ask, "service", ()).replay(cause.token)
    assert [(one.oracle, one.scale) for one in again.violations] == [("Q", "indeterminate")] * 3


@pytest.mark.parametrize("axes", [("stop",), ("kill",)])
def test_what_the_load_makes_itself_is_a_client_as_well(axes: tuple[str, ...]) -> None:
    async def load(service: Answering) -> None:
        await asyncio.gather(*(service.ask(number) for number in range(3)))

    causes = swept(Cutting, load, axes).causes
    if axes == ("kill",):  # the storm has cancelled one of them: the others are told by that
        assert causes == []
    else:
        assert {(cause.oracle, cause.scale) for cause in causes} == {("Q", "indeterminate")}
    assert swept(Answering, load, ("stop",)).causes == []


def test_who_goes_away_is_not_cut_off() -> None:
    async def load(service: Answering, env: Env) -> None:
        client = env.client(one_ask(service, 1))
        await asyncio.sleep(0.005)
        client.cancel()

    assert swept(Answering, load).causes == []


def test_who_catches_it_knows() -> None:
    async def load(service: Answering) -> None:
        try:
            await service.ask(1)
        except asyncio.CancelledError:
            return

    assert swept(Cutting, load, ("stop", "stop2")).causes == []


class Accepting(Cutting):
    """Takes each item on before it answers, and does it in any case."""

    async def ask(self, number: int) -> int:
        if self.closed:
            raise ConnectionError("closed")
        self.env.accept(number)
        return await super().ask(number)

    def answer(self, number: int) -> None:
        self.env.finish(number)
        super().answer(number)

    def end(self, coming: asyncio.Future[int]) -> None:
        number = next(number for number, each in self.waiting.items() if each is coming)
        if not coming.done():
            self.env.finish(number)
        super().end(coming)

    async def stop(self) -> None:
        for number, coming in self.waiting.items():
            if not coming.done() or coming.cancelled():
                self.settle(number)
        self.closed = True
        for timer in self.timers:
            timer.cancel()
        for coming in self.waiting.values():
            coming.cancel()
        self.waiting.clear()

    def settle(self, number: int) -> None:
        """Do what was taken on."""
        if number not in self.env.ledger.finished:
            self.env.finish(number)


class Losing(Accepting):
    """Takes each item on, and forgets it."""

    def settle(self, number: int) -> None:
        return


def test_the_ledger_knows_what_was_done() -> None:
    assert swept(Accepting, three_ask, ("stop", "cancel")).causes == []


def test_the_ledger_knows_what_was_lost() -> None:
    report = swept(Losing, three_ask, ("stop", "cancel"))
    assert told(report) == [("L", "violation", only(report).text)]


def test_an_item_that_was_never_accepted_is_not_known() -> None:
    class Late(Accepting):
        async def ask(self, number: int) -> int:
            await asyncio.get_running_loop().create_task(asyncio.sleep(0.01))
            return await super().ask(number)

        async def stop(self) -> None:
            await super().stop()
            for task in asyncio.all_tasks():
                if "sleep" in repr(task.get_coro()):
                    task.cancel()

    async def load(service: Late, env: Env) -> None:
        await service.ask(7)

    report = swept(Late, load, ("stop",))
    assert ("Q", "indeterminate", "client 'load'") in told(report)


# --- streams ---------------------------------------------------------------------------------------------

HOST, PORT = "localhost", 7


class Lines:
    """Answers each line after a while."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.open: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.server: Any = None

    async def start(self) -> None:
        self.server = await self.env.server(self.serve, HOST, PORT)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while line := await reader.readline():
                await asyncio.sleep(0.01)
                await self.answer(writer, line)
        except asyncio.CancelledError:
            self.last(writer)
        finally:
            self.tasks.discard(task)
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        writer.write(line)

    def last(self, writer: asyncio.StreamWriter) -> None:
        """Say something to a client that is cut off."""

    async def stop(self) -> None:
        if self.server is None:
            return
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        self.server.close_clients()
        await self.server.wait_closed()


class Resetting(Lines):
    """Resets what is open."""

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server.abort_clients()
            for task in list(self.tasks):
                task.cancel()
            await asyncio.sleep(0)
            await self.server.wait_closed()


class Farewell(Lines):
    """Says goodbye."""

    def last(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"503\n")

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            for task in list(self.tasks):
                task.cancel()
            await self.server.wait_closed()


class Silent(Lines):
    """Takes lines, and never answers."""

    async def answer(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        return


def connecting(talk: Callable[[Env, asyncio.StreamReader, asyncio.StreamWriter], Any]) -> Callable[..., Any]:
    """Return a load that talks over a connection; a reset is an answer that its client understands."""

    async def load(_: Lines, env: Env) -> None:
        try:
            reader, writer = await env.connect(HOST, PORT)
        except ConnectionRefusedError:
            return
        try:
            await talk(env, reader, writer)
        except ConnectionResetError:
            pass
        finally:
            writer.close()

    return load


async def asks(env: Env, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"one\n")
    await reader.readline()


async def awaits(env: Env, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.writelines([b"o", b"ne\n"])
    await reader.readexactly(4)


async def listens(env: Env, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.read(1)


async def tells(env: Env, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"one\n")
    await asyncio.sleep(0.1)


async def leaves(env: Env, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"one\n")
    asking = env.client(reads(reader))
    await asyncio.sleep(0)
    writer.close()
    await asyncio.wait([asking])


async def reads(reader: asyncio.StreamReader) -> None:
    await reader.readline()


async def stays(env: Env, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asks(env, reader, writer)
    await listens(env, reader, writer)


async def knows(env: Env, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line = env.accept(b"one\n")
    writer.write(line)
    await reader.readline()
    env.finish(line)


CUT = ("Q", "indeterminate", "client of server localhost")


@pytest.mark.parametrize("service", [Lines, Resetting])
@pytest.mark.parametrize("talk", [asks, awaits])
def test_a_connection_that_ends_in_place_of_an_answer_is_indeterminate(service: Any, talk: Any) -> None:
    if talk is awaits:
        load: Any = partly(connecting(talk))
    else:
        load = connecting(talk)
    report = swept(service, load, ("stop", "cancel"))
    assert told(report) == [CUT]
    assert "closed before an answer came, and nobody knows" in only(report).text
    assert not report.failing


def partly(load: Any) -> Any:
    """Return a load whose client takes the end of a connection for what it is."""

    async def wrapped(service: Lines, env: Env) -> None:
        try:
            await load(service, env)
        except asyncio.IncompleteReadError:
            return

    return wrapped


@pytest.mark.parametrize(
    ("service", "talk"),
    [(Farewell, asks), (Lines, listens), (Lines, tells), (Silent, tells), (Lines, leaves)],
)
def test_who_is_told_or_asks_nothing_is_not_cut_off(service: Any, talk: Any) -> None:
    report = swept(service, connecting(talk), ("stop",))
    early = [cause for cause in report.causes if service is not Farewell]
    assert early == []
    if service is Farewell:  # a line that the server has not read yet is answered by nobody
        assert {cause.scale for cause in report.causes} <= {"indeterminate"}
        lines = swept(Lines, connecting(talk), ("stop",))
        assert sum(cause.count for cause in report.causes) < only(lines).count


def test_who_has_an_answer_is_not_cut_off_when_it_stays() -> None:
    one, other = (only(swept(Lines, connecting(talk), ("stop",))) for talk in (asks, stays))
    assert one.count == other.count > 0


def test_a_line_that_was_accepted_is_the_ledgers() -> None:
    report = swept(Lines, connecting(knows), ("stop",))
    assert {(cause.oracle, cause.scale) for cause in report.causes} <= {("L", "violation")}


# --- requests to an app ----------------------------------------------------------------------------------


class Storing:
    """Stores each request, after a while, and answers."""

    def __init__(self, first: float, then: float) -> None:
        self.first, self.then = first, then
        self.rows: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(self.first)
        self.rows.append(scope["path"].rpartition("/")[2])
        await asyncio.sleep(self.then)
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def requested(
    first: float,
    then: float,
    *requests: Any,
    axes: tuple[str, ...] = ("stop", "cancel"),
    **options: Any,
) -> StormReport:
    storm = asgi(
        lambda: Storing(first, then), requests, stored=lambda app: app.rows, lifespan=False, **options
    )
    return Sweep(storm.make, storm.load, "app", axes, done=storm.done).sweep()


POST = ("POST", "/ev/{i}")


def test_a_request_that_is_cut_off_is_indeterminate() -> None:
    report = requested(0.01, 0.0, POST)
    cause = only(report)
    assert (cause.oracle, cause.scale, cause.axis) == ("Q", "indeterminate", "cancel")
    assert cause.text.startswith("POST /ev/{i}: the connection was closed before a full answer came")
    assert not report.failing


def test_a_request_that_may_end_is_answered() -> None:
    assert requested(0.01, 0.0, POST, cancelled="drain").causes == []


def test_a_request_whose_client_leaves_is_not_cut_off() -> None:
    leaving = Request(method="POST", path="/ev/{i}", leaves=0.01)
    assert requested(1000.0, 0.0, leaving, axes=(), grace=0.1).causes == []
    staying = requested(1000.0, 0.0, POST, axes=(), grace=0.1)
    assert (only(staying).scale, only(staying).axis) == ("indeterminate", "baseline")


def test_a_request_whose_row_is_stored_is_known() -> None:
    slow = only(requested(0.0, 0.05, POST)).count
    assert 0 < slow < only(requested(0.05, 0.0, POST)).count + 3
    assert slow <= 3  # only as long as nothing is stored


# --- by accident -----------------------------------------------------------------------------------------


class Late:
    """Has an answer for who comes before the stop; who comes later gets what `late` makes of it."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.closed = False
        self.queue: Any = asyncio.Queue()
        self.error: BaseException | None = None

    async def start(self) -> None:
        self.closed = False

    async def stop(self) -> None:
        self.closed = True
        try:
            self.fails()
        except Exception as error:  # noqa: BLE001 -- kept for who comes later
            self.error = error

    def fails(self) -> None:
        raise ConnectionError("closed")

    async def ask(self) -> int:
        await asyncio.sleep(0.01)
        if self.closed:
            await self.late()
        return 1

    async def late(self) -> None:
        raise ConnectionError("closed")


async def nothing() -> None:
    await asyncio.sleep(0)


class SetsTwice(Late):
    async def late(self) -> None:
        coming = asyncio.get_running_loop().create_future()
        coming.set_result(1)
        coming.set_result(1)


class AsksTooSoon(Late):
    async def late(self) -> None:
        asyncio.get_running_loop().create_future().result()


class DoneTwice(Late):
    async def late(self) -> None:
        self.queue.task_done()


class AwaitsTwice(Late):
    async def late(self) -> None:
        coro = nothing()
        await coro
        await coro


class InATask(SetsTwice):
    """The accident is in a task of the service, for which the client waits."""

    async def late(self) -> None:
        await asyncio.get_running_loop().create_task(super().late())


class InAGroup(SetsTwice):
    async def late(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(super().late())


class SaysSo(Late):
    async def late(self) -> None:
        raise asyncio.InvalidStateError("closed")


class Wraps(SetsTwice):
    async def late(self) -> None:
        try:
            await super().late()
        except asyncio.InvalidStateError as error:
            raise ConnectionError("closed") from error


class Together(SetsTwice):
    async def late(self) -> None:
        try:
            await super().late()
        except asyncio.InvalidStateError as error:
            raise ExceptionGroup("closed", [error]) from None


class Stored(Late):
    """Raises what it has kept."""

    def fails(self) -> None:
        coming = asyncio.get_running_loop().create_future()
        coming.set_result(1)
        coming.set_result(1)

    async def late(self) -> None:
        assert self.error is not None
        raise self.error


class NoQueue(Late):
    async def late(self) -> None:
        self.queue = None
        self.queue.put_nowait(1)


class NoKey(Late):
    async def late(self) -> None:
        self.timers: dict[int, int] = {}
        self.timers.pop(1)


class Asserts(Late):
    async def late(self) -> None:
        assert not self.closed


class NoName(Late):
    async def late(self) -> None:
        if not self.closed:
            found = 1
        print(found)


class RaisesKey(Late):
    async def late(self) -> None:
        raise KeyError("closed")


class Cancels(Late):
    async def late(self) -> None:
        raise asyncio.CancelledError


class TimesOut(Late):
    async def late(self) -> None:
        async with asyncio.timeout(0.1):
            await asyncio.Event().wait()


async def asked_later(service: Late) -> None:
    await asyncio.sleep(0.005)
    await service.ask()


def later(service: Late, env: Env) -> None:
    env.client(asked_later(service))


@pytest.mark.parametrize(
    ("service", "error"),
    [
        (SetsTwice, "InvalidStateError"),
        (AsksTooSoon, "InvalidStateError"),
        (DoneTwice, "ValueError"),
        (AwaitsTwice, "RuntimeError"),
        (InATask, "InvalidStateError"),
        (InAGroup, "InvalidStateError"),
    ],
)
def test_what_nobody_says_to_a_client_by_design_fails(service: type[Late], error: str) -> None:
    report = swept(service, later)
    cause = only(report)
    assert (cause.oracle, cause.scale) == ("E", "violation")
    assert cause.text.startswith(f"client 'client-1' has come to {error}(")
    assert "that nobody has raised: " in cause.text
    assert ".late:" in cause.text
    assert report.failing


@pytest.mark.parametrize("service", [Late, SaysSo, Wraps, Together, Stored, RaisesKey, TimesOut])
def test_a_refusal_is_an_answer(service: type[Late]) -> None:
    assert swept(service, later).causes == []


def test_a_cancellation_that_is_raised_is_no_answer() -> None:
    assert told(swept(Cancels, later)) == [("Q", "indeterminate", "client 'client-1'")]


@pytest.mark.parametrize(
    ("service", "error"),
    [
        (NoQueue, "AttributeError"),
        (NoKey, "KeyError"),
        (Asserts, "AssertionError"),
        (NoName, "UnboundLocalError"),
    ],
)
def test_an_ugly_refusal_is_advisory(service: type[Late], error: str) -> None:
    report = swept(service, later)
    cause = only(report)
    assert (cause.oracle, cause.scale) == ("E", "advisory")
    assert cause.text.startswith(f"client 'client-1' has come to {error}(")
    assert not report.failing


def test_what_comes_without_a_trigger_is_told_as_ever() -> None:
    class Always(SetsTwice):
        async def ask(self) -> int:
            await self.late()
            return 1

    report = swept(Always, later)
    cause = only(report)
    assert (cause.oracle, cause.axis, cause.scale) == ("E", "baseline", "violation")
    assert cause.text.startswith("Task exception was never retrieved")


def test_what_the_load_has_dealt_with_is_advisory() -> None:
    async def load(service: Late, env: Env) -> None:
        await asyncio.gather(env.client(asked_later(service)), return_exceptions=True)

    assert told(swept(SetsTwice, load)) == [
        (
            "E",
            "advisory",
            "client 'client-1' has come to InvalidStateError('invalid state'), that nobody has raised",
        )
    ]
    assert swept(Late, load).causes == []


class Odd:
    """A client with a mistake of its own, that shows when it is refused."""

    def __init__(self) -> None:
        self.coming: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def asks(self, service: Late) -> None:
        try:
            await service.ask()
        except ConnectionError:
            self.heard()
        self.heard()

    def heard(self) -> None:
        self.coming.set_result(1)


def test_a_clients_own_mistake_is_not_the_services() -> None:
    def load(service: Late, env: Env) -> None:
        env.client(Odd().asks(service))

    report = swept(Late, load)
    cause = only(report)
    assert (cause.oracle, cause.scale) == ("E", "advisory")
    assert "in code of its own: Odd.asks:" in cause.text


def test_a_load_that_asserts_too_much_is_told() -> None:
    async def load(service: Late) -> None:
        try:
            answer = await service.ask()
        except ConnectionError:
            answer = 0
        assert answer == 1

    report = swept(Late, load, ("stop",))
    assert told(report) == [("E", "advisory", only(report).text.partition(":")[0])]
    assert "'load' has come to AssertionError(" in only(report).text
    assert "in code of its own" in only(report).text


def test_a_future_that_the_storm_has_failed_is_no_accident() -> None:
    class Resolving(Late):
        """Whoever asks resolves the future of who has asked before."""

        async def start(self) -> None:
            self.coming: Any = asyncio.get_running_loop().create_future()

        async def ask(self) -> int:
            before, self.coming = self.coming, asyncio.get_running_loop().create_future()
            before.set_result(1)
            await asyncio.sleep(0.01)
            return 1

        async def wait(self) -> None:
            await self.coming

    async def waits(service: Resolving) -> None:
        await service.wait()

    def load(service: Resolving, env: Env) -> None:
        env.client(waits(service))
        env.client(asked_later(service))

    assert "E" not in {letter for letter, *_ in told(swept(Resolving, load, ("stop", "raise")))}
    assert ("E", "violation") in {(one, scale) for one, scale, _ in told(swept(Resolving, load, ("kill",)))}


# --- in a suite ------------------------------------------------------------------------------------------

SUITE = """
import asyncio, logging

class Service:
    def __init__(self):
        self.waiting, self.closed, self.log = [], False, logging.getLogger("service")

    async def start(self):
        self.log.error("LOGGED")

    async def ask(self):
        if self.closed:
            raise ConnectionError
        self.waiting.append(asyncio.get_running_loop().create_future())
        asyncio.get_running_loop().call_later(0.01, self.answer, self.waiting[-1])
        return await self.waiting[-1]

    def answer(self, coming):
        if not coming.done():
            coming.set_result(1)

    async def stop(self):
        print("PRINTED " * 500)
        self.closed = True
        for coming in self.waiting:
            self.end(coming)
        await asyncio.sleep(0.02)

    def end(self, coming):
        coming.cancel()

class Slipping(Service):
    async def ask(self):
        await asyncio.sleep(0.01)
        if self.closed:
            coming = asyncio.get_running_loop().create_future()
            coming.set_result(1)
            coming.set_result(2)

async def load(service):
    await service.ask()

def test_cut(shutdown_storm):
    report = shutdown_storm(Service, load, scenarios="stop")
    assert [cause.scale for cause in report.causes] == ["indeterminate"]

def test_slip(shutdown_storm):
    shutdown_storm(Slipping, load, scenarios="stop")
"""


def test_the_report_of_a_test_tells_it_by_its_scale(suite: Any) -> None:
    done = suite(SUITE)
    report = done.one("test_cut", "call")
    assert report.outcome == "passed", report.text
    (text,) = [body for title, body in report.sections if "shutdown storm" in title]
    line = next(line for line in text.splitlines() if line.startswith("indeterminate"))
    assert re.match(r"indeterminate  Q client left waiting \S\d+  stop@\d+: client 'load'", line)
    assert "--taskleak-replay=stop@" in text
    slip = done.one("test_slip", "call")
    assert slip.outcome == "failed"
    assert "client 'load' has come to InvalidStateError(" in slip.text
    logs = [body for title, body in slip.sections if "log" in title]
    assert not any("LOGGED" in body for body in logs)
    printed = "".join(body for title, body in slip.sections if "stdout" in title)
    assert MOST_PRINTED < len(printed) < 2 * MOST_PRINTED + 10_000  # the sweep, and what makes it small


class Slow:
    """Takes longer for an answer than it lives, and says so to who waits when it is stopped."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []

    async def start(self) -> None:
        """Begin."""

    async def ask(self) -> None:
        self.waiting.append(asyncio.get_running_loop().create_future())
        await self.waiting[-1]

    async def stop(self) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_exception(RuntimeError("closed"))


async def ask_and_go(service: Slow, env: Env) -> None:
    async def client() -> None:
        await service.ask()

    env.client(client())


def test_without_a_trigger_a_stop_may_refuse_as_well() -> None:
    """The stop at the natural end is a stop like any other."""
    assert swept(Slow, ask_and_go, ("stop",)).causes == []
