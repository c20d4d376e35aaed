# expect: clean
# why: a worker of the class, cancelled (not awaited) in the fixture's teardown
# runner: pytest-asyncio class
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def ticker() -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(asyncio.sleep(3600))
    yield task
    task.cancel()


@pytest.mark.asyncio(loop_scope="class")
class TestTicker:
    async def test_first(self, ticker: asyncio.Task[None]) -> None:
        assert not ticker.done()

    async def test_second(self, ticker: asyncio.Task[None]) -> None:
        assert not ticker.done()
