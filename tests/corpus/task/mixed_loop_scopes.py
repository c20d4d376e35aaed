# expect: clean
# why: function, class and session loops side by side; the session's worker lives on its own loop
# runner: pytest-asyncio session
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker() -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    yield task
    task.cancel()


@pytest.mark.asyncio
async def test_own_loop(worker: asyncio.Task[None]) -> None:
    await asyncio.sleep(0)
    assert not worker.done()


@pytest.mark.asyncio(loop_scope="session")
async def test_session_loop(worker: asyncio.Task[None]) -> None:
    await asyncio.sleep(0)
    assert not worker.done()


@pytest.mark.asyncio(loop_scope="class")
class TestClassLoop:
    async def test_one(self, worker: asyncio.Task[None]) -> None:
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
