# expect: TL101 test_submits what=consume born=here cause=no-sentinel finality=stuck
# waits: *Queue*get*
# why: the queue was the function fixture's, and that has been torn down
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest

TASKS: set[asyncio.Task[None]] = set()


async def consume(jobs: asyncio.Queue[int]) -> None:
    while True:
        await jobs.get()


@pytest.fixture
async def jobs() -> AsyncIterator[asyncio.Queue[int]]:
    yield asyncio.Queue()
    await asyncio.sleep(0)


async def test_submits(jobs: asyncio.Queue[int]) -> None:
    TASKS.add(asyncio.create_task(consume(jobs), name="consumer"))  # born:here
    jobs.put_nowait(1)
    await asyncio.sleep(0)
    assert jobs.empty()


async def test_neighbour(jobs: asyncio.Queue[int]) -> None:
    assert jobs.empty()
