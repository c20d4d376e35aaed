# expect: TL101 test_leaves what=forever born=here severity=warn
# outcome: test_leaves passed
# why: the marker softens the leak of this test to a warning
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.taskleak(mode="warn")
async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
