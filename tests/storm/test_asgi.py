"""ASGI apps in process: does the server do what servers do, and is it found what a stop breaks?"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.storm.asgi import AsgiStorm, asgi
from pytest_taskleak.storm.asgi_http import WINDOW
from pytest_taskleak.storm.asgi_lifespan import LifespanFailed
from pytest_taskleak.storm.asgi_scopes import Request
from pytest_taskleak.storm.asgi_server import AsgiServer
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.sweep import Sweep

sys.path.insert(0, str(Path(__file__).resolve().parent))

import asgi_apps as apps
from asgi_apps import Message, Receive, Send, answer
from simulated import in_memory

AXES = ("stop", "cancel", "stop2", "kill", "fault")
POSTS = [("POST", "/ev/{i}")] * 4
SOCKETS: list[Any] = [
    ("WS", "/ws", ["one", "two"]),
    Request(method="WS", path="/ws", body=["three"], reads=1),
    Request(method="WS", path="/ws", body=["four"], leaves=0.002),
]
STREAMS: list[Any] = [
    ("GET", "/stream"),
    Request(path="/stream", reads=2),
    Request(path="/stream", slow=0.02),
]


def rows(app: Any) -> list[int]:
    return list(app.rows)


def swept(
    app: Any, requests: list[Any], axes: tuple[str, ...] = AXES, seeds: tuple[int, ...] = (0,), **options: Any
) -> tuple[StormReport, AsgiStorm]:
    storm = asgi(app, requests, stored=rows, **options)
    return Sweep(storm.make, storm.load, storm.name, axes, seeds, done=storm.done).sweep(), storm


def letters(report: StormReport) -> set[str]:
    return {cause.oracle for cause in report.causes}


def told(report: StormReport) -> list[str]:
    """Return what is wrong; that a connection was cut off is nobody's mistake."""
    return [
        f"{cause.oracle} {cause.token} {cause.text}"
        for cause in report.causes
        if cause.scale != "indeterminate"
    ]


# --- under the storm -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"grace": 1.0}, {"cancelled": "drain"}, {"arrivals": "open", "rate": 500.0}, {"concurrency": 2}],
    ids=str,
)
def test_a_sound_app_is_sound_at_every_moment(options: dict[str, Any]) -> None:
    report, storm = swept(apps.Sound, POSTS[:2] + SOCKETS + STREAMS, **options)
    assert told(report) == []
    assert report.complete
    assert report.deterministic
    assert all(axis.ran > 0 for axis in report.axes)
    assert all(storm.tally[fate] for fate in ("answered", "refused", "unanswered", "error")), storm.tally
    assert {cause.scale for cause in report.causes} == {"indeterminate"}


def test_a_sound_app_is_sound_by_other_schedules_and_with_a_second_cancel() -> None:
    report, _ = swept(apps.Sound, [POSTS[0], SOCKETS[1], STREAMS[1]], (*AXES, "pair"), (0, 1, 2, 3))
    assert told(report) == []


@pytest.mark.parametrize("cancelled", ["cut", "drain"])
def test_a_second_cancel_does_not_reach_the_app(cancelled: str) -> None:
    """The server passes one on; an app that stands one is sound, whatever its program is sent."""
    report, _ = swept(apps.CleansUp, POSTS[:2], ("cancel", "pair"), cancelled=cancelled)
    assert told(report) == []


@pytest.mark.parametrize(
    ("app", "requests", "options", "axis", "letter"),
    [
        (apps.FireAndForget, POSTS, {}, "stop", "T"),
        (apps.FireAndForget, POSTS, {}, "stop", "C"),
        (apps.FireAndForget, POSTS, {}, "kill", "L"),
        (apps.NoFinally, POSTS, {}, "cancel", "R"),
        (apps.StartNotUndone, POSTS, {}, "cancel", "R"),
        (apps.BufferLost, POSTS, {}, "stop", "L"),
        (apps.Endless, [("GET", "/stream")], {}, "baseline", "D"),
        (apps.Deaf, SOCKETS[:1], {}, "baseline", "B"),
        (apps.ClosedEarly, POSTS[:2], {"grace": 0.5}, "stop", "C"),
        (apps.SessionClosedBeforeStream, [("GET", "/stream")], {}, "baseline", "C"),
        (apps.LeavesUnanswered, POSTS, {}, "baseline", "E"),
    ],
)
def test_a_mistake_is_found(
    app: Any, requests: list[Any], options: dict[str, Any], axis: str, letter: str
) -> None:
    report, _ = swept(app, requests, axes=() if axis == "baseline" else (axis,), **options)
    assert letter in letters(report), told(report)


@pytest.mark.parametrize(
    ("app", "requests", "options"),
    [
        (apps.NoFinally, POSTS, {"cancelled": "drain"}),
        (apps.Endless, [("GET", "/stream"), Request(path="/stream", reads=3)], {"grace": 1.0}),
        (apps.Deaf, SOCKETS[:1], {"grace": 1.0}),
        (apps.ClosedEarly, POSTS[:2], {"cancelled": "drain"}),
    ],
)
def test_the_same_app_is_sound_under_another_server(
    app: Any, requests: list[Any], options: dict[str, Any]
) -> None:
    report, _ = swept(app, requests, axes=("stop", "cancel", "stop2"), **options)
    assert told(report) == []


def test_who_streams_for_nobody_is_found_when_its_client_goes() -> None:
    requests = [Request(path="/stream", reads=3)]
    report, _ = swept(apps.EndlessForNobody, requests, axes=())
    assert "D" in letters(report)
    assert any("EndlessForNobody.stream" in text for text in told(report))
    report, _ = swept(apps.Endless, requests)
    assert told(report) == []


def test_a_loss_is_replayed_with_the_same_verdict() -> None:
    storm = asgi(apps.BufferLost, POSTS, stored=rows)
    sweep = Sweep(storm.make, storm.load, storm.name, ("stop",), done=storm.done)
    (lost,) = [cause for cause in sweep.sweep().causes if cause.oracle == "L"]
    verdicts = {tuple(v.oracle for v in sweep.replay(lost.token).violations) for _ in range(10)}
    assert len(verdicts) == 1
    assert "L" in verdicts.pop()


def test_only_what_was_answered_can_be_lost() -> None:
    """A handler that stores nothing and never answers with 2xx has acknowledged nothing."""

    class Refuses(apps.Sound):
        async def http(self, scope: Message, receive: Receive, send: Send) -> None:
            await answer(send, 409)

    report, storm = swept(Refuses, POSTS, axes=("stop",))
    assert told(report) == []
    assert storm.tally["answered"] > 0


def test_items_may_be_named_by_the_answer() -> None:
    class Names(apps.Sound):
        async def http(self, scope: Message, receive: Receive, send: Send) -> None:
            name = f"item-{scope['path'].rpartition('/')[2]}"
            await self.save()
            if name != "item-2":
                self.rows.append(name)  # type: ignore[arg-type]
            await answer(send, 200, name.encode())

    storm = asgi(Names, POSTS, accepted=lambda got: got.body.decode() if got.ok else None, stored=rows)
    report = Sweep(storm.make, storm.load, storm.name, (), done=storm.done).sweep()
    assert [cause.text for cause in report.causes] == ["item 'item-2' was accepted and is lost"]


def test_an_app_given_as_such_serves_all_runs() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "no lifespan, please"
        await asyncio.sleep(0.01)
        await answer(send)

    storm = asgi(app, POSTS)
    assert storm.name == "app"
    assert asgi(lambda: app, POSTS).name == "ASGI app"
    report = Sweep(storm.make, storm.load, storm.name, AXES, done=storm.done).sweep()
    assert told(report) == []
    assert storm.tally["answered"] > 0


@pytest.mark.parametrize("cleared", [False, True])
@pytest.mark.parametrize("loses", [False, True])
def test_what_an_app_keeps_from_run_to_run_is_neither_twice_nor_there(cleared: bool, loses: bool) -> None:
    kept: list[str] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            if cleared:
                kept.clear()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        item = scope["path"].rpartition("/")[2]
        if not (loses and item == "1" and (cleared or "1" in kept)):
            kept.append(item)
        await asyncio.sleep(0.001)
        await answer(send)

    storm = asgi(app, POSTS, stored=lambda: kept)
    report = Sweep(storm.make, storm.load, storm.name, ("stop",), done=storm.done).sweep()
    assert letters(report) == ({"L"} if loses else set()), told(report)


# --- the server ------------------------------------------------------------------------------------------


def served(app: Any, main: Any, **options: Any) -> Any:
    """Start a server with an app, run `main(server, env)`, stop it; return what came, and what was told."""

    async def whole(env: Env) -> Any:
        server = AsgiServer(app, env, **options)
        await server.start()
        came = await main(server, env)
        await server.stop()
        return came, [violation.text for violation in env.found]

    return in_memory(whole)


async def plain(scope: Message, receive: Receive, send: Send) -> None:
    """Answer each request with what it has sent."""
    if scope["type"] != "http":
        return
    whole = b""
    while True:
        message = await receive()
        whole += message["body"]
        if not message["more_body"]:
            break
    await answer(send, 200, whole + b" " + scope["path"].encode() + b"?" + scope["query_string"])


def test_a_request_goes_there_in_chunks_and_its_answer_comes_back() -> None:
    async def main(server: AsgiServer, _: Env) -> Any:
        wanted = Request(method="PUT", path="/a%20b/{i}?x={i}", body=["one", b"-{i}"], pause=0.5)
        return await server.ask(wanted, 7)

    came, found = served(plain, main)
    assert (came.fate, came.status, came.body) == ("answered", 200, b"one-7 /a b/7?x=7")
    assert came.headers == {"x-name": "value"}
    assert came.ok
    assert found == []


def test_the_scope_is_that_of_asgi() -> None:
    scopes: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["known"] = "to all"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await answer(send)

    async def main(server: AsgiServer, _: Env) -> None:
        await server.ask(("POST", "/json", {"a": 1}))
        await server.ask(("WS", "/ws"))

    served(app, main)
    lifespan, http, websocket = scopes
    assert lifespan["type"] == "lifespan"
    assert http["method"] == "POST"
    assert (b"content-type", b"application/json") in http["headers"]
    assert (b"content-length", b"8") in http["headers"]
    assert http["state"] == {"known": "to all"}
    assert http["state"] is not lifespan["state"]
    assert websocket["type"] == "websocket"
    assert "method" not in websocket


def test_what_an_app_raises_is_an_error_and_is_told() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raise ValueError(scope["path"])

    came, found = served(app, lambda server, _: server.ask("/x"))
    assert (came.fate, came.status) == ("error", 500)
    assert found == ["GET /x: the app raised ValueError('/x')"]


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.body", "body": b""}],
        [{"type": "http.response.start", "status": 200}] * 2,
        [{"type": "http.response.start", "status": 200}, *[{"type": "http.response.body"}] * 2],
    ],
    ids=["body-first", "two-starts", "two-ends"],
)
def test_what_asgi_forbids_is_told(messages: list[Message]) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for message in messages:
                await send(message)

    _, (text,) = served(app, lambda server, _: server.ask("/"))
    assert "ProtocolError" in text


def test_a_client_that_goes_is_told_to_the_app() -> None:
    heard: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            heard.extend([await receive() for _ in range(3)])
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"to nobody"})

    came, found = served(app, lambda server, _: server.ask(Request(leaves=1.0)))
    assert came.fate == "unanswered"
    assert [message["type"] for message in heard] == ["http.request", "http.disconnect", "http.disconnect"]
    assert found == []


def test_who_reads_slowly_is_waited_for() -> None:
    sent: list[float] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            for _ in range(4):
                await send({"type": "http.response.body", "body": b"x" * WINDOW, "more_body": True})
                sent.append(asyncio.get_running_loop().time())
            await send({"type": "http.response.body"})

    came, _ = served(app, lambda server, _: server.ask(Request(slow=1.0)))
    assert len(came.body) == 4 * WINDOW
    assert came.fate == "answered"
    assert sent[-1] - sent[0] >= 2


def test_a_stop_refuses_what_is_new_and_waits_for_what_runs() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(3)
            await answer(send)

    async def main(server: AsgiServer, env: Env) -> Any:
        running = env.client(server.ask("/"))
        await asyncio.sleep(1)
        stops = [asyncio.ensure_future(server.stop()) for _ in range(2)]
        await asyncio.sleep(0)
        late = await server.ask("/late")
        await asyncio.wait(stops)
        return running.result().fate, late.fate, late.status, env.loop.time()

    (ran, late, status, time), _ = served(app, main)
    assert (ran, late, status) == ("answered", "refused", 503)
    assert time == pytest.approx(1003, abs=0.1)


def test_after_its_grace_a_stop_cancels_and_goes_on_without_who_resists() -> None:
    ended: list[str] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            ended.append("lifespan")
            await send({"type": "lifespan.shutdown.complete"})
            return
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            ended.append(scope["path"])
            if scope["path"] == "/resists":
                await asyncio.sleep(20)
            raise

    async def main(server: AsgiServer, env: Env) -> Any:
        clients = [env.client(server.ask(path)) for path in ("/a", "/resists")]
        await asyncio.sleep(1)
        await server.stop()
        time = env.loop.time()
        await asyncio.wait(clients)
        return time, [client.result().fate for client in clients]

    (time, fates), found = served(app, main, grace=2.0)
    assert time == pytest.approx(1004, abs=0.1)
    assert sorted(ended[:2]) == ["/a", "/resists"]
    assert ended[2:] == ["lifespan"]
    assert fates == ["unanswered", "unanswered"]
    assert found == []


def test_websockets_are_told_of_a_stop_and_end() -> None:
    codes: list[int] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return
        assert (await receive())["type"] == "websocket.connect"
        if scope["path"] == "/denied":
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
            if message["text"] == "bye":
                await send({"type": "websocket.close", "code": 1000})
        codes.append(message["code"])

    async def main(server: AsgiServer, env: Env) -> Any:
        asking: list[Any] = [
            *(("WS", "/", ["a", "b"]), ("WS", "/denied"), ("WS", "/", ["bye"])),
            *(Request(method="WS", body=["c"], reads=1), Request(method="WS", leaves=0.5)),
        ]
        clients = [env.client(server.ask(request)) for request in asking]
        await asyncio.sleep(1)
        await server.stop()
        await asyncio.wait(clients)
        return [(c.result().fate, c.result().status, c.result().messages, c.result().code) for c in clients]

    came, found = served(app, main)
    assert came == [
        ("unanswered", 0, ["A", "B"], 1012),
        ("refused", 403, [], 0),
        ("answered", 0, ["BYE"], 1000),
        ("answered", 0, ["C"], 0),
        ("unanswered", 0, [], 0),
    ]
    assert sorted(codes) == [1000, 1000, 1001, 1012]
    assert found == []


def test_who_knows_of_no_lifespan_is_let_be_and_who_fails_is_told() -> None:
    async def ignorant(scope: Message, receive: Receive, send: Send) -> None:
        raise AssertionError("only http")

    async def failing(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        raise KeyError("config")

    async def saying(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def late(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise KeyError("at the end")

    async def starts(env: Env, app: Any) -> None:
        await AsgiServer(app, env).start()

    async def stops(env: Env) -> None:
        server = AsgiServer(late, env)
        await server.start()
        await server.stop()

    in_memory(lambda env: starts(env, ignorant))
    with pytest.raises(LifespanFailed, match=r"startup: KeyError\('config'\)") as told_of:
        in_memory(lambda env: starts(env, failing))
    assert isinstance(told_of.value.__cause__, KeyError)
    with pytest.raises(LifespanFailed, match="startup: no database"):
        in_memory(lambda env: starts(env, saying))
    with pytest.raises(LifespanFailed, match=r"shutdown: KeyError\('at the end'\)"):
        in_memory(stops)


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        ({"requests": [5]}, TypeError, "a request is"),
        ({"requests": [("GET",)]}, TypeError, "a request is"),
        ({"requests": [Request(pause=-1)]}, ValueError, "cannot be negative"),
        ({"app": "module:app"}, TypeError, "must be callable"),
        ({"concurrency": 0}, ValueError, "concurrency must be 1 or more"),
        ({"grace": -1}, ValueError, "grace 0 or more"),
        ({"arrivals": "sometimes"}, ValueError, "arrivals is closed or open"),
        ({"cancelled": "never"}, ValueError, "cancelled is cut or drain"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(bad: dict[str, Any], error: type[Exception], text: str) -> None:
    options = {"app": apps.Sound, "requests": POSTS, **bad}
    with pytest.raises(error, match=text):
        asgi(**options)


def test_what_returns_no_app_is_refused() -> None:
    storm = asgi(lambda: 5, POSTS)
    with pytest.raises(TypeError, match="returned a int, which is no ASGI 3 app"):
        in_memory(lambda env: AsgiServer(storm.build(env), env).start())


# --- frameworks, where they are installed ----------------------------------------------------------------


def starlette_app(env: Env) -> Any:
    """Return an app of Starlette with all that is hard: middleware, streams, threads, websockets."""
    applications, middleware, responses, routing = (
        importlib.import_module(f"starlette.{name}")
        for name in ("applications", "middleware.base", "responses", "routing")
    )
    Route = routing.Route  # noqa: N806 -- a class
    db, save, stored = env.resource("db"), env.dep("save"), list[int]()

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, str]]:
        async with db:
            yield {"known": "to all"}

    async def post(request: Any) -> Any:
        await request.body()
        await save()
        db.use()
        stored.append(int(request.path_params["i"]))
        return responses.JSONResponse({"state": request.state.known}, status_code=201)

    async def stream(_: Any) -> Any:
        async def parts() -> AsyncIterator[str]:
            for number in range(5):
                db.use()
                await asyncio.sleep(0.01)
                yield str(number)

        return responses.StreamingResponse(parts())

    async def shout(websocket: Any) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())

    async def passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    app = applications.Starlette(
        lifespan=lifespan,
        routes=[
            *(
                Route("/ev/{i}", post, methods=["POST"]),
                Route("/stream", stream),
                routing.WebSocketRoute("/ws", shout),
            ),
            Route("/sync", lambda _: responses.PlainTextResponse("in a thread")),
        ],
    )
    app.add_middleware(middleware.BaseHTTPMiddleware, dispatch=passing)
    app.rows = stored
    return app


def test_an_app_of_starlette_is_sound_at_every_moment() -> None:
    pytest.importorskip("starlette")
    requests = [*POSTS[:2], *STREAMS[:2], *SOCKETS[:2], ("GET", "/sync")]
    report, storm = swept(starlette_app, requests)
    assert [text for text in told(report) if not text.startswith("H ")] == []
    assert report.deterministic
    assert storm.tally["answered"] > storm.tally["error"]


# --- what an app leaves running when all is cancelled ----------------------------------------------------


def with_a_worker(*, deaf: bool) -> Any:
    """Return an app whose lifespan ends its worker in the usual way: not in a `finally`."""

    async def work() -> None:
        while True:
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                if deaf:
                    await asyncio.sleep(5)
                raise

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            worker = asyncio.create_task(work(), name="worker")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            worker.cancel()
            await asyncio.wait({worker})
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.sleep(0.003)
            await send({"type": "http.response.body", "body": b"well"})

    return app


@pytest.mark.parametrize("deaf", [False, True])
def test_what_an_app_leaves_running_is_cancelled_as_by_asyncio_run(deaf: bool) -> None:
    storm = asgi(lambda: with_a_worker(deaf=deaf), [("GET", "/")] * 2)
    report = Sweep(storm.make, storm.load, storm.name, ("cancel",), done=storm.done).sweep()
    found = {cause.oracle for cause in report.causes if cause.scale == "violation"}
    assert found == ({"T"} if deaf else set())
