# expect: clean
# why: the fixture's teardown closes what the test has begun
# runner: fixture function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


@pytest_asyncio.fixture
async def readers() -> AsyncIterator[list[AsyncIterator[int]]]:
    begun: list[AsyncIterator[int]] = []
    yield begun
    for generator in begun:
        await generator.aclose()


async def test_begins(readers: list[AsyncIterator[int]]) -> None:
    readers.append(numbers())
    assert await anext(readers[0]) == 0


async def test_begins_two(readers: list[AsyncIterator[int]]) -> None:
    readers += [numbers(), numbers()]
    assert [await anext(reader) for reader in readers] == [0, 0]
