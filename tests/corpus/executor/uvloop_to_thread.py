# expect: clean
# why: uvloop's default executor, seen only through the loop's referents
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning
import asyncio

import pytest
import uvloop


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


async def test_one() -> None:
    assert await asyncio.to_thread(len, "abc") == 3


async def test_two() -> None:
    assert await asyncio.to_thread(len, "ab") == 2
