# expect: clean
# why: a session's loop in a thread with a server task on it; the tests' calls are awaited
# runner: loop in thread
import asyncio
import threading
from collections.abc import Iterator

import pytest


class Background:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.call(self.start())

    def call(self, coroutine: object) -> object:
        assert asyncio.iscoroutine(coroutine)
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def start(self) -> None:
        self.requests: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()
        self.server = asyncio.create_task(self.serve())

    async def serve(self) -> None:
        while True:
            answer = await self.requests.get()
            asyncio.create_task(self.reply(answer))

    async def reply(self, answer: asyncio.Future[str]) -> None:
        await asyncio.sleep(0)
        answer.set_result("pong")

    async def ping(self) -> str:
        answer: asyncio.Future[str] = self.loop.create_future()
        self.requests.put_nowait(answer)
        return await answer

    async def finish(self) -> None:
        self.server.cancel()
        await asyncio.gather(self.server, return_exceptions=True)

    def close(self) -> None:
        self.call(self.finish())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    background = Background()
    yield background
    background.close()


def test_one(background: Background) -> None:
    assert background.call(background.ping()) == "pong"


def test_two(background: Background) -> None:
    assert background.call(background.ping()) == "pong"
