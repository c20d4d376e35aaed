# expect: clean
# why: the session server starts a task for each request; they outlive the tests and end with the fixture
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


class Server:
    def __init__(self) -> None:
        self.requests: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        self.tasks: set[asyncio.Task[None]] = set()

    async def handle(self, begun: asyncio.Event) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async def serve(self) -> None:
        while True:
            begun = await self.requests.get()
            self.tasks.add(asyncio.create_task(self.handle(begun)))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    server = Server()
    server.tasks.add(asyncio.create_task(server.serve()))
    yield server
    for task in server.tasks:
        task.cancel()
    await asyncio.gather(*server.tasks, return_exceptions=True)


async def test_one(server: Server) -> None:
    server.requests.put_nowait(begun := asyncio.Event())
    await begun.wait()


async def test_two(server: Server) -> None:
    server.requests.put_nowait(begun := asyncio.Event())
    await begun.wait()


async def test_three() -> None:
    await asyncio.sleep(0)
