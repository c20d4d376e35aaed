# expect: TL101|TL102 test_logs what=produce born=here cause=queue-full finality=stuck
# waits: *MemoryObjectSendStream*|*memory*stream*
# why: an unbuffered stream, of which the receiving end is dropped without a close
# runner: anyio
# needs: anyio
import asyncio

import anyio
import pytest
from anyio.streams.memory import MemoryObjectSendStream

pytestmark = pytest.mark.anyio
TASKS: list[asyncio.Task[None]] = []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def produce(lines: MemoryObjectSendStream[str]) -> None:
    for line in ("one", "two"):
        await lines.send(line)


async def test_logs() -> None:
    send, receive = anyio.create_memory_object_stream[str](0)
    TASKS.append(asyncio.create_task(produce(send), name="producer"))  # born:here
    assert await receive.receive() == "one"
    for _ in range(3):
        await anyio.sleep(0)


async def test_neighbour() -> None:
    await anyio.sleep(0)
