# expect: clean
# why: exhausted, closed, under aclosing(), broken off and dropped, failed inside, never begun
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def failing() -> AsyncIterator[int]:
    yield 1
    raise ValueError


async def test_exhausts() -> None:
    generator = numbers()
    assert [number async for number in generator] == list(range(10))


async def test_closes() -> None:
    generator = numbers()
    await anext(generator)
    await generator.aclose()


async def test_aclosing() -> None:
    async with contextlib.aclosing(numbers()) as generator:
        async for number in generator:
            if number == 2:
                break


async def test_breaks() -> None:
    async for number in numbers():
        if number == 2:
            break


async def test_breaks_with_a_name() -> None:
    generator = numbers()
    async for number in generator:
        if number == 2:
            break


async def test_fails_inside() -> None:
    generator = failing()
    with pytest.raises(ValueError):
        async for _ in generator:
            pass


NEVER_BEGUN = []


async def test_never_begins() -> None:
    NEVER_BEGUN.append(numbers())
