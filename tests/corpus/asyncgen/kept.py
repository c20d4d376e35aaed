# expect: TL611 test_leaves what=numbers born=here
# why: the generator is iterated in part, and something keeps it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
from collections.abc import AsyncIterator
import asyncio

KEPT: list[AsyncIterator[int]] = []


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def test_leaves() -> None:
    generator = numbers()
    KEPT.append(generator)
    async for number in generator:  # born:here
        if number == 2:
            break


async def test_neighbour() -> None:
    assert [number async for number in numbers()] == list(range(10))
