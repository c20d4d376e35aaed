# expect: clean
# why: the leftover of an unwatched test lives on the session loop through the watched ones: not theirs
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
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


async def test_last() -> None:
    await asyncio.sleep(0)
