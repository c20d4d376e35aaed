# expect: TL611|TL612 fixture:reader what=numbers born=here on=test_uses
# why: the fixture begins a generator and does not close it
# runner: fixture function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

KEPT: list[AsyncIterator[int]] = []


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[int]:
    generator = numbers()
    KEPT.append(generator)
    await anext(generator)  # born:here
    return generator


async def test_uses(reader: AsyncIterator[int]) -> None:
    assert await anext(reader) == 1


async def test_neighbour() -> None:
    await asyncio.sleep(0)
