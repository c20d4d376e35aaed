# expect: TL702 fixture:ticker what=stumble on=test_runs
# why: the fixture set the timer that fires during a test
# runner: pytest-asyncio module
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=module
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


def stumble() -> None:
    raise ValueError("boom")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ticker() -> AsyncIterator[None]:
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_later, 0.001, stumble)
    yield


async def test_runs(ticker: None) -> None:
    await asyncio.sleep(0.02)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
