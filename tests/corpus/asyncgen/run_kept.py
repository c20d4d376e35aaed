# expect: TL612 test_leaves what=numbers born=here
# why: asyncio.run closes in silence what the program still holds and has not exhausted
# runner: asyncio.run
import asyncio
from collections.abc import AsyncIterator

KEPT: list[AsyncIterator[int]] = []


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def main() -> None:
    generator = numbers()
    KEPT.append(generator)
    await anext(generator)  # born:here


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
