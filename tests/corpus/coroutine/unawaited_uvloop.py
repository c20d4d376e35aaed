# expect: TL711 test_forgets what=work born=here
# expect: TL711 test_local what=work born=local
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


async def work() -> None:
    await asyncio.sleep(0)


async def test_forgets() -> None:
    work()  # born:here


async def test_local() -> None:
    unused = work()  # born:local


async def test_awaits() -> None:
    await work()
