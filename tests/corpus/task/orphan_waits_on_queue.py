# expect: TL101 test_leaves what=consume born=here
# why: a consumer waits for an item that nobody puts; no timer is involved
# runner: pytest-asyncio function
# needs: pytest-asyncio
import asyncio

import pytest

QUEUES: list[asyncio.Queue[int]] = []


async def consume(queue: asyncio.Queue[int]) -> None:
    while True:
        await queue.get()


@pytest.mark.asyncio
async def test_leaves() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    QUEUES.append(queue)
    asyncio.create_task(consume(queue))  # born:here
    queue.put_nowait(1)
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_neighbour() -> None:
    await asyncio.sleep(0)
