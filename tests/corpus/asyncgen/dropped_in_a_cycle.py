# expect: clean
# why: only a circle of references holds it, and the loop closes it when the collector comes
# runner: pytest-asyncio module
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Stream:
    def __init__(self) -> None:
        self.generator = self.numbers()

    async def numbers(self) -> AsyncIterator[int]:
        for number in range(10):
            await asyncio.sleep(0)
            yield number


async def test_drops() -> None:
    stream = Stream()
    assert await anext(stream.generator) == 0


async def test_neighbour() -> None:
    await asyncio.sleep(0)
