# expect: TL101 fixture:client what=goodbye born=here on=test_uses
# why: made by the teardown code of the fixture
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest


async def goodbye() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
async def client() -> AsyncIterator[str]:
    yield "client"
    asyncio.create_task(goodbye())  # born:here
    await asyncio.sleep(0)


async def test_uses(client: str) -> None:
    assert client


async def test_neighbour() -> None:
    await asyncio.sleep(0)
