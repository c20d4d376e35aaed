# expect: TL701 test_loses what=boom born=here
# expect: TL701 test_keeps what=boom born=kept
# why: the loop of pytest-asyncio is uvloop's
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning
import asyncio

import pytest
import uvloop

KEPT: list[asyncio.Task[None]] = []


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_loses() -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    asyncio.create_task(boom())  # born:here
    await turns()


async def test_keeps() -> None:
    KEPT.append(asyncio.create_task(boom()))  # born:kept
    await turns()


async def test_neighbour() -> None:
    await turns()
