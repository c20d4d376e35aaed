# expect: TL101 test_leaves what=forever born=here
# why: a fixture's teardown still runs after the test, but does not stop this task
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
async def client() -> AsyncIterator[str]:
    yield "client"
    await asyncio.sleep(0)


async def test_leaves(client: str) -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour(client: str) -> None:
    assert client
