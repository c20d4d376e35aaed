# expect: TL101|TL102 test_stream what=consume born=here cause=no-sentinel finality=stuck
# waits: *MemoryObjectReceiveStream*|*memory*stream*
# why: the sending end is dropped without a close, so that the receiver never hears of the end
# runner: anyio
# needs: anyio
import asyncio

import anyio
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream

pytestmark = pytest.mark.anyio
TASKS: set[asyncio.Task[None]] = set()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def consume(items: MemoryObjectReceiveStream[int], seen: list[int]) -> None:
    async for item in items:
        seen.append(item)


async def test_stream() -> None:
    seen: list[int] = []
    send, receive = anyio.create_memory_object_stream[int](10)
    TASKS.add(asyncio.create_task(consume(receive, seen), name="consumer"))  # born:here
    await send.send(1)
    for _ in range(3):
        await anyio.sleep(0)
    assert seen == [1]


async def test_neighbour() -> None:
    await anyio.sleep(0)
