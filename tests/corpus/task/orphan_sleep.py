# expect: TL101 test_leaves what=forever born=here
# outcome: test_leaves failed
# why: the plain orphan; no user teardown remains, so the call phase itself fails
# runner: pytest-asyncio function
# needs: pytest-asyncio
import asyncio

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.asyncio
async def test_before() -> None:
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_neighbour() -> None:
    await asyncio.sleep(0)
