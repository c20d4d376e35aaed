# expect: clean
# why: the stream is closed by its sender, the lock released, the group left
# runner: anyio
# needs: anyio
import anyio
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def consume(items: MemoryObjectReceiveStream[int], seen: list[int]) -> None:
    async with items:
        async for item in items:
            seen.append(item)


async def test_stream() -> None:
    seen: list[int] = []
    send, receive = anyio.create_memory_object_stream[int](0)
    async with anyio.create_task_group() as group, send:
        group.start_soon(consume, receive, seen)
        await send.send(1)
    assert seen == [1]


async def test_limiter() -> None:
    limiter = anyio.CapacityLimiter(1)

    async def work() -> None:
        async with limiter:
            await anyio.sleep(0)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        group.start_soon(work)
