# expect: TL102 test_pipeline what=consume cause=producer-died finality=stuck
# waits: *Queue*get*
# why: gather raised the producer's exception; the consumer that it left waits for what nobody will put
# runner: sync asyncio.run
import asyncio
import gc

import pytest

gc.disable()  # nobody keeps the consumer


async def produce(queue: asyncio.Queue[str]) -> None:
    await queue.put("one")
    raise OSError("connection lost")


async def consume(queue: asyncio.Queue[str]) -> None:
    while True:
        await queue.get()


async def main() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()
    await asyncio.gather(consume(queue), produce(queue))


def test_pipeline() -> None:
    with pytest.raises(OSError, match="connection lost"):
        asyncio.run(main())
