# expect: clean
# outcome: test_loses failed
# why: the runner of the anyio plugin raises in the test what the loop's handler is told
# runner: anyio
# needs: anyio
import asyncio

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_loses() -> None:
    asyncio.create_task(boom())
    await turns()


async def test_neighbour() -> None:
    await turns()
