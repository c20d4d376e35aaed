# expect: TL201 test_serves finality=outside
# expect: TL101 test_serves what=serve born=here finality=outside|wakeable
# waits: *Event*
# why: the same with a timer that only uvloop's own memory knows
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning
import asyncio

import pytest
import uvloop

TASKS: list[asyncio.Task[None]] = []


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def test_serves() -> None:
    ready = asyncio.Event()
    asyncio.get_running_loop().call_later(30, ready.set)
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
