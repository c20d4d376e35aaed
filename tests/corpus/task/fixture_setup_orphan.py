# expect: TL101 fixture:client what=keepalive born=here on=test_uses
# why: made in the setup of a function fixture that never stops it
# runner: pytest-asyncio function
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


async def keepalive() -> None:
    await asyncio.sleep(3600)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[str]:
    asyncio.create_task(keepalive())  # born:here
    await asyncio.sleep(0)
    yield "client"


@pytest.mark.asyncio
async def test_uses(client: str) -> None:
    assert client


@pytest.mark.asyncio
async def test_neighbour() -> None:
    await asyncio.sleep(0)
