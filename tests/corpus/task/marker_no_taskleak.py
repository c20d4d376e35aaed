# expect: clean
# why: the test is not watched; its neighbour stays clean too, for the leftover goes with the loop
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.no_taskleak(reason="leaks on purpose")
async def test_unwatched() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
