# expect: TL101|TL102 test_transfers what=transfer born=ab cause=lock-order finality=stuck
# expect: TL101|TL102 test_transfers what=transfer born=ba cause=lock-order finality=stuck
# edge: task 'ab' -> anyio.Lock* [waits for]
# edge: anyio.Lock* -> task 'ba' [held by]
# edge: anyio.Lock* -> task 'ab' [held by]
# cycle: task 'ab', task 'ba'
# why: anyio's locks know their owner
# runner: anyio
# needs: anyio
import asyncio

import anyio
import pytest

pytestmark = pytest.mark.anyio
TASKS: set[asyncio.Task[None]] = set()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def transfer(source: anyio.Lock, target: anyio.Lock) -> None:
    async with source:
        await anyio.sleep(0)
        async with target:
            pass


async def test_transfers() -> None:
    one, two = anyio.Lock(), anyio.Lock()
    TASKS.add(asyncio.create_task(transfer(one, two), name="ab"))  # born:ab
    TASKS.add(asyncio.create_task(transfer(two, one), name="ba"))  # born:ba
    for _ in range(6):
        await anyio.sleep(0)


async def test_neighbour() -> None:
    await anyio.sleep(0)
