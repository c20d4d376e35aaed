# expect: TL105 fixture:service what=lonely born=here on=test_last
# why: the fixture's task dies in the collector that a test runs
# runner: pytest-asyncio module
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=module
import asyncio
import gc
from collections.abc import AsyncIterator

import pytest_asyncio


async def lonely() -> None:
    await asyncio.get_running_loop().create_future()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[None]:
    asyncio.create_task(lonely())  # born:here
    await asyncio.sleep(0)
    yield


async def test_first(service: None) -> None:
    await asyncio.sleep(0)


async def test_collects(service: None) -> None:
    gc.collect()


async def test_last(service: None) -> None:
    await asyncio.sleep(0)
