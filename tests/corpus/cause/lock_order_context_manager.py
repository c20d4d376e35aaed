# expect: TL101 test_transfers what=write born=ab cause=lock-order finality=stuck
# expect: TL101 test_transfers what=write born=ba cause=lock-order finality=stuck
# edge: asyncio.Lock* -> task 'ba' [held by]
# edge: asyncio.Lock* -> task 'ab' [held by]
# cycle: task 'ab', task 'ba'
# why: each lock is held by a context manager that is written as a generator
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-detect=task
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TASKS: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def transaction(table: asyncio.Lock) -> AsyncIterator[str]:
    async with table:
        yield "open"


async def write(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with transaction(first):
        await asyncio.sleep(0)
        async with transaction(second):
            pass


async def test_transfers() -> None:
    one, two = asyncio.Lock(), asyncio.Lock()
    TASKS.add(asyncio.create_task(write(one, two), name="ab"))  # born:ab
    TASKS.add(asyncio.create_task(write(two, one), name="ba"))  # born:ba
    for _ in range(4):
        await asyncio.sleep(0)
