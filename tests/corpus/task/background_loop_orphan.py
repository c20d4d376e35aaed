# expect: TL101 test_leaves what=forever
# why: the loop and its thread are the module fixture's, the task that the test put onto it is the test's
# runner: loop in thread
import asyncio
import threading
from collections.abc import Iterator

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


async def ping() -> str:
    await asyncio.sleep(0)
    return "pong"


async def finish() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


@pytest.fixture(scope="module")
def background() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(finish(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_leaves(background: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(forever(), background)
    assert asyncio.run_coroutine_threadsafe(ping(), background).result() == "pong"


def test_neighbour(background: asyncio.AbstractEventLoop) -> None:
    assert asyncio.run_coroutine_threadsafe(ping(), background).result() == "pong"
