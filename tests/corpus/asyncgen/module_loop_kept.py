# expect: TL611 test_leaves what=numbers born=here
# why: the module's loop lives on, the generator belongs to the test
# runner: pytest-asyncio module
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest

KEPT: list[AsyncIterator[int]] = []
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def test_leaves() -> None:
    KEPT.append(numbers())
    await anext(KEPT[0])  # born:here


async def test_neighbour() -> None:
    async for number in numbers():
        if number == 2:
            break
