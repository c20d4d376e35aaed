# expect: clean
# why: the module fixture's own consumer waits for jobs between the tests, and is told to end by the teardown
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")
Jobs = asyncio.Queue[int | None]


async def consume(jobs: Jobs) -> None:
    while await jobs.get() is not None:
        pass


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jobs() -> AsyncIterator[Jobs]:
    jobs: Jobs = asyncio.Queue()
    consumer = asyncio.create_task(consume(jobs))
    await asyncio.sleep(0)
    yield jobs
    jobs.put_nowait(None)
    await consumer


async def test_first(jobs: Jobs) -> None:
    jobs.put_nowait(1)


async def test_last(jobs: Jobs) -> None:
    jobs.put_nowait(2)
