# expect: TL101 test_submits what=consume born=here cause=no-sentinel finality=wakeable
# waits: *Queue*get*
# why: the queue is the module fixture's, which lives on and may feed it: no proof
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def consume(jobs: asyncio.Queue[int]) -> None:
    while True:
        await jobs.get()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jobs() -> AsyncIterator[asyncio.Queue[int]]:
    yield asyncio.Queue()


async def test_submits(jobs: asyncio.Queue[int]) -> None:
    asyncio.create_task(consume(jobs), name="consumer")  # born:here
    jobs.put_nowait(1)
    await asyncio.sleep(0)
    assert jobs.empty()


async def test_neighbour(jobs: asyncio.Queue[int]) -> None:
    assert jobs.empty()
