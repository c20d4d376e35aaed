# expect: clean
# why: who loses the race is cancelled and awaited
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def fetch(mirror: int) -> int:
    await asyncio.sleep(30 * mirror)
    return mirror


async def test_race() -> None:
    mirrors = [asyncio.create_task(fetch(mirror)) for mirror in (0, 1)]
    done, pending = await asyncio.wait(mirrors, return_when=asyncio.FIRST_COMPLETED)
    for loser in pending:
        loser.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    assert done.pop().result() == 0


async def broken() -> None:
    raise ValueError("broken")


async def test_group() -> None:
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch(1))
            group.create_task(broken())
