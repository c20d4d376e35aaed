# expect: clean
# why: closed by the test, by a with statement and by a fixture
# runner: pytest-asyncio function
# needs: pytest-asyncio, aiohttp
# args: -o asyncio_mode=auto
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio


@pytest_asyncio.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    session = aiohttp.ClientSession()
    yield session
    await session.close()


async def test_closes() -> None:
    session = aiohttp.ClientSession()
    await session.close()


async def test_with() -> None:
    async with aiohttp.ClientSession() as session:
        assert not session.closed


async def test_fixture(client: aiohttp.ClientSession) -> None:
    assert not client.closed
