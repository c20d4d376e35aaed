# expect: TL101 test_leaves what=fetch born=here
# why: wait_for times out on a shield: the work under it is not cancelled
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def fetch() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    task = asyncio.create_task(fetch())  # born:here
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(task), 0.001)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
