# expect: TL201 test_leaves what=remind
# why: timers of uvloop are not in a heap that Python can see
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning
import asyncio

import pytest
import uvloop


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


def remind() -> None: ...


async def test_leaves() -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(3600, remind)
    loop.call_later(3600, remind).cancel()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
