# expect: TL201 test_leaves what=remind
# why: put onto the module's background loop through call_soon_threadsafe: the context tells the test
# runner: loop in thread
import asyncio
import threading
from collections.abc import Iterator

import pytest


def remind() -> None: ...


async def ping() -> str:
    return "pong"


@pytest.fixture(scope="module")
def background() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_leaves(background: asyncio.AbstractEventLoop) -> None:
    background.call_soon_threadsafe(background.call_later, 3600, remind)
    assert asyncio.run_coroutine_threadsafe(ping(), background).result() == "pong"


def test_neighbour(background: asyncio.AbstractEventLoop) -> None:
    assert asyncio.run_coroutine_threadsafe(ping(), background).result() == "pong"
