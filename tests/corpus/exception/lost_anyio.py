# expect: TL701 test_loses what=boom born=here
# why: the runner of the anyio plugin never hears of a task that is kept
# runner: anyio
# needs: anyio
import asyncio

import pytest

pytestmark = pytest.mark.anyio
KEPT: list[asyncio.Task[None]] = []


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
    KEPT.append(asyncio.create_task(boom()))  # born:here
    await turns()


async def test_neighbour() -> None:
    await turns()
