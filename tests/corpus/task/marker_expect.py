# expect: clean
# why: the leak is what the test is about, and it says so
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.taskleak(expect="TL101")
async def test_leaves() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
