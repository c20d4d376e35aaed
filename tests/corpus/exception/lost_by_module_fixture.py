# expect: TL701 fixture:service what=*.late born=here on=test_uses
# why: the fixture's task fails during a test of the module, which is innocent; nobody ever asks it
# runner: pytest-asyncio module
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=module
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[asyncio.Event]:
    start = asyncio.Event()

    async def late() -> None:
        await start.wait()
        await boom()

    task = asyncio.create_task(late())  # born:here
    yield start
    del task


async def test_first(service: asyncio.Event) -> None:
    await turns()


async def test_uses(service: asyncio.Event) -> None:
    service.set()
    await turns()
    await turns()


async def test_neighbour() -> None:
    await turns()
