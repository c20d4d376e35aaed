# expect: clean
# why: the default executor of the module's background loop keeps an idle worker that a test's call started
# runner: loop in thread
import asyncio
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def background() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_one(background: asyncio.AbstractEventLoop) -> None:
    call = asyncio.to_thread(len, "abc")
    assert asyncio.run_coroutine_threadsafe(call, background).result() == 3


def test_two(background: asyncio.AbstractEventLoop) -> None:
    call = asyncio.to_thread(len, "ab")
    assert asyncio.run_coroutine_threadsafe(call, background).result() == 2
