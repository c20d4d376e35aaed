# expect: TL701 fixture:service what=boom born=here on=test_uses
# why: the fixture made the task, the test did nothing wrong
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

KEPT: list[asyncio.Task[None]] = []


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[str]:
    KEPT.append(asyncio.create_task(boom()))  # born:here
    yield "service"


async def test_uses(service: str) -> None:
    await turns()


async def test_neighbour() -> None:
    await turns()
