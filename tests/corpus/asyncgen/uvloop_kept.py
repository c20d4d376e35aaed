# expect: TL612 test_leaves what=numbers born=here
# why: uvloop closes in silence what is kept, as asyncio does
# runner: uvloop
# needs: uvloop
import asyncio
from collections.abc import AsyncIterator

import uvloop

KEPT: list[AsyncIterator[int]] = []


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def leave() -> None:
    KEPT.append(numbers())
    await anext(KEPT[0])  # born:here


async def drop() -> None:
    async for number in numbers():
        if number == 2:
            break


def test_leaves() -> None:
    uvloop.run(leave())


def test_neighbour() -> None:
    uvloop.run(drop())
