# expect: TL201 test_expires what=expire cause=timer-left finality=outside
# why: the same on uvloop
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning
import asyncio

import pytest
import uvloop


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


def expire() -> None: ...


async def test_expires() -> None:
    loop = asyncio.get_running_loop()
    loop.call_at(loop.time() + 30, expire)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
