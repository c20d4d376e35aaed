"""ASGI apps without any framework: a sound one, and one for each of the mistakes that a stop brings to light."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pytest_taskleak.storm.env import Env

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def answer(send: Send, status: int = 201, body: bytes = b"ok") -> None:
    """Send a whole response."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"X-Name", b"value")]})
    await send({"type": "http.response.body", "body": body})


class Sound:
    """Stores what is posted and then answers; streams what is asked for; shouts over websockets."""

    def __init__(self, env: Env) -> None:
        self.db = env.resource("db")
        self.save = env.dep("save")
        self.rows: list[int] = []
        self.buffer: list[int] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await getattr(self, scope["type"])(scope, receive, send)

    async def lifespan(self, _: Message, receive: Receive, send: Send) -> None:
        await receive()
        await self.open()
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def open(self) -> None:
        self.db.open()

    async def close(self) -> None:
        self.db.close()

    async def http(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/stream"):
            await self.stream(receive, send)
            return
        await receive()
        await self.post(int(scope["path"].rpartition("/")[2]))
        await answer(send)

    async def post(self, item: int) -> None:
        await self.store(item)

    async def store(self, item: int) -> None:
        await self.save()
        self.db.use()
        self.rows.append(item)

    async def stream(self, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(5):
            self.db.use()
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
            await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b""})

    async def websocket(self, _: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await asyncio.sleep(0.003)
            self.db.use()
            try:
                await send({"type": "websocket.send", "text": message["text"].upper()})
            except OSError:
                return


class FireAndForget(Sound):
    """Stores in the background, and answers before."""

    async def post(self, item: int) -> None:
        task = asyncio.create_task(self.store(item), name="store")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class NoFinally(Sound):
    """Closes at the end of its lifespan, if that comes."""

    async def lifespan(self, _: Message, receive: Receive, send: Send) -> None:
        await receive()
        await self.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


class BufferLost(Sound):
    """Answers, and stores later; a batch that is being stored when the end comes is lost."""

    async def open(self) -> None:
        self.db.open()
        self.flusher = asyncio.create_task(self.flush(), name="flusher")

    async def post(self, item: int) -> None:
        self.buffer.append(item)

    async def flush(self) -> None:
        while True:
            await asyncio.sleep(0.004)
            batch, self.buffer = self.buffer, []
            if batch:
                await self.save()
                self.rows += batch

    async def close(self) -> None:
        self.flusher.cancel()
        await asyncio.wait({self.flusher})
        self.rows += self.buffer
        self.db.close()


class Endless(Sound):
    """Streams for ever, as long as somebody listens."""

    async def stream(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.ensure_future(receive())
        try:
            while not gone.done():
                self.db.use()
                await send({"type": "http.response.body", "body": b"tick", "more_body": True})
                await asyncio.wait({gone}, timeout=0.2)
        finally:
            gone.cancel()


class EndlessForNobody(Sound):
    """Streams for ever, and does not mind whether anybody listens."""

    async def stream(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
            await asyncio.sleep(0.2)


class Deaf(Sound):
    """Receives over its websockets for ever, also when nobody is there."""

    async def websocket(self, _: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await receive()


class ClosedEarly(Sound):
    """Shields what it stores from the cancellation, and closes without waiting for it."""

    async def post(self, item: int) -> None:
        await asyncio.shield(self.slow_store(item))

    async def slow_store(self, item: int) -> None:
        await asyncio.sleep(2)
        await self.store(item)


class SessionClosedBeforeStream(Sound):
    """Closes what a request uses when its response begins, and not when it ends."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.env = env

    async def stream(self, _: Receive, send: Send) -> None:
        async with self.env.resource("session") as session:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        session.use()
        await send({"type": "http.response.body", "body": b"rows"})


class LeavesUnanswered(Sound):
    """Returns without a response when it is about to end."""

    closing = False

    async def post(self, item: int) -> None:
        self.closing = item > 1

    async def http(self, scope: Message, receive: Receive, send: Send) -> None:
        await self.post(int(scope["path"].rpartition("/")[2]))
        if not self.closing:
            await answer(send)


class StartNotUndone(Sound):
    """Opens the second of two things only after a while, and closes neither if that fails."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.cache = env.resource("cache")

    async def open(self) -> None:
        self.db.open()
        await self.save()
        self.cache.open()

    async def close(self) -> None:
        self.cache.close()
        self.db.close()


class CleansUp(Sound):
    """Takes its time to clean up when it is cancelled, and would not stand to be cancelled once more."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.env = env

    async def post(self, item: int) -> None:
        session = self.env.resource("session").open()
        try:
            await self.store(item)
        except BaseException:
            await asyncio.sleep(0.01)
            session.close()
            raise
        session.close()

    async def lifespan(self, _: Message, receive: Receive, send: Send) -> None:
        await receive()
        self.db.open()
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        except BaseException:
            await asyncio.sleep(0.01)
            self.db.close()
            raise
        self.db.close()
        await send({"type": "lifespan.shutdown.complete"})
