# expect: clean
# why: the test sets it through the fixture's client, whose close cancels it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest


class Client:
    heartbeat: asyncio.TimerHandle | None = None

    def connect(self) -> None:
        self.heartbeat = asyncio.get_running_loop().call_later(30, self.connect)

    def close(self) -> None:
        if self.heartbeat is not None:
            self.heartbeat.cancel()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    client.close()


async def test_connects(client: Client) -> None:
    client.connect()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
