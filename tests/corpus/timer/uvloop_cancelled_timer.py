# expect: clean
# why: cancelled and short timers on uvloop
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


async def test_cancels() -> None:
    asyncio.get_running_loop().call_later(3600, remind).cancel()


async def test_short() -> None:
    asyncio.get_running_loop().call_later(0.005, remind)
