# expect: TL101 test_pipeline what=consume born=here cause=producer-died finality=stuck
# waits: *Queue*get*
# why: the producer raised half-way, and the consumer is never told
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import gc

import pytest

gc.disable()  # so that the dead producer, garbage by now, can still be seen
TASKS: list[asyncio.Task[None]] = []


async def produce(queue: asyncio.Queue[int | None]) -> None:
    for number in range(3):
        if number == 2:
            raise ValueError("bad row")
        await queue.put(number)
    await queue.put(None)


async def consume(queue: asyncio.Queue[int | None]) -> None:
    while await queue.get() is not None:
        pass


async def test_pipeline() -> None:
    queue: asyncio.Queue[int | None] = asyncio.Queue()
    producer = asyncio.create_task(produce(queue), name="producer")
    TASKS.append(asyncio.create_task(consume(queue), name="consumer"))  # born:here
    with pytest.raises(ValueError, match="bad row"):
        await producer
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
