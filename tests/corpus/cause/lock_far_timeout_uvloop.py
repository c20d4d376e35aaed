# expect: TL101 test_enters what=enter born=here cause=lock-kept finality=outside
# waits: *Lock*
# why: the same where the loop does not show its timers
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


async def enter(door: asyncio.Lock) -> None:
    async with asyncio.timeout(3600):
        async with door:
            pass


async def test_enters() -> None:
    door = asyncio.Lock()
    await door.acquire()
    TASKS.append(asyncio.create_task(enter(door), name="visitor"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
