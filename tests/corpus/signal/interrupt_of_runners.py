# expect: clean
# why: asyncio and trio put their own handler on SIGINT while they run; a test may do so too, for a while
# runner: pytest-asyncio function
# needs: pytest-asyncio, trio, uvloop, posix
# args: -o asyncio_mode=auto
import asyncio
import signal
from collections.abc import Iterator

import pytest
import trio
import uvloop


@pytest.fixture
def restored() -> Iterator[list[object]]:
    handlers: list[object] = []
    yield handlers
    for handler in handlers:
        signal.signal(signal.SIGINT, handler)


async def test_changes_inside() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    await asyncio.sleep(0)
    signal.signal(signal.SIGINT, before)


async def test_restored_after_the_run(restored: list[object]) -> None:
    restored.append(signal.signal(signal.SIGINT, signal.SIG_IGN))
    await asyncio.sleep(0)


def test_runs() -> None:
    asyncio.run(asyncio.sleep(0))
    uvloop.run(asyncio.sleep(0))
    trio.run(trio.sleep, 0)


def test_default() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
