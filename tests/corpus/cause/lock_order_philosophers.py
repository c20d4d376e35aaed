# expect: TL101 test_dinner what=dine born=0 cause=lock-order finality=stuck
# expect: TL101 test_dinner what=dine born=1 cause=lock-order finality=stuck
# expect: TL101 test_dinner what=dine born=2 cause=lock-order finality=stuck
# edge: task 'plato' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'kant' [held by]
# cycle: task 'plato', task 'kant', task 'hume'
# why: three of them, each with the fork that its left neighbour waits for
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")
TASKS: list[asyncio.Task[None]] = []


async def dine(forks: list[asyncio.Lock], seat: int) -> None:
    async with forks[seat]:
        await asyncio.sleep(0)
        async with forks[(seat + 1) % 3]:
            pass


async def test_dinner() -> None:
    forks = [asyncio.Lock() for _ in range(3)]
    TASKS.append(asyncio.create_task(dine(forks, 0), name="plato"))  # born:0
    TASKS.append(asyncio.create_task(dine(forks, 1), name="kant"))  # born:1
    TASKS.append(asyncio.create_task(dine(forks, 2), name="hume"))  # born:2
    for _ in range(4):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
