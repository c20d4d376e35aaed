# expect: TL611 test_leaves what=stubborn born=here
# why: the generator's clean-up takes its time; it is told once, and not waited for
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")
KEPT: list[AsyncIterator[int]] = []


async def stubborn() -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        await asyncio.sleep(3)


async def test_leaves() -> None:
    KEPT.append(stubborn())
    await anext(KEPT[0])  # born:here


async def test_neighbour() -> None:
    await asyncio.sleep(0)
