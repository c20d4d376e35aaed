# expect: TL101 test_leaves what=slow born=here
# why: gather raises the first exception and leaves its other children running
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def slow() -> None:
    await asyncio.sleep(3600)


async def broken() -> None:
    raise RuntimeError("broken")


async def test_leaves() -> None:
    with pytest.raises(RuntimeError):
        await asyncio.gather(slow(), broken())  # born:here


async def test_neighbour() -> None:
    await asyncio.sleep(0)
