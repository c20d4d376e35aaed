# expect: clean
# why: the test starts it through the fixture's client, the fixture's teardown stops it: normal use
# runner: pytest-asyncio function
# needs: pytest-asyncio
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


class Client:
    def __init__(self) -> None:
        self.reader: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.reader = asyncio.create_task(self.read())
        await asyncio.sleep(0)

    async def read(self) -> None:
        await asyncio.sleep(3600)

    async def close(self) -> None:
        if self.reader is not None:
            self.reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.reader


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.close()


@pytest.mark.asyncio
async def test_connects(client: Client) -> None:
    await client.connect()


@pytest.mark.asyncio
async def test_does_not(client: Client) -> None:
    assert client.reader is None
