# expect: TL101 test_leaves what=forever born=here
# why: the loop of pytest-asyncio is uvloop's
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning
import asyncio

import pytest
import uvloop


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
