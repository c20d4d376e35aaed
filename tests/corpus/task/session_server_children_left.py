# expect: TL101 fixture:server what=Server.handle born=child on=test_last
# why: the server of the session starts a task for each request and stops without the one that never ends
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio


class Server:
    def __init__(self) -> None:
        self.requests: asyncio.Queue[bool] = asyncio.Queue()
        self.served = asyncio.Event()

    async def handle(self, endless: bool) -> None:
        self.served.set()
        if endless:
            await asyncio.sleep(3600)

    async def serve(self) -> None:
        while True:
            endless = await self.requests.get()
            asyncio.create_task(self.handle(endless))  # born:child


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Server]:
    server = Server()
    task = asyncio.create_task(server.serve())
    yield server
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_endless(server: Server) -> None:
    server.requests.put_nowait(True)
    await server.served.wait()


async def test_short(server: Server) -> None:
    server.served.clear()
    server.requests.put_nowait(False)
    await server.served.wait()


async def test_last(server: Server) -> None:
    assert server.requests.empty()
