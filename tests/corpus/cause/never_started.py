# expect: TL101|TL104 test_flushes what=flush born=here cause=never-started finality=ready
# why: its loop is busy with a call that blocks, so that the task has not even begun
# runner: loop in thread
import asyncio
import threading
from collections.abc import Iterator

import pytest

GATE = threading.Event()


@pytest.fixture(scope="module")
def background() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    GATE.set()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def flush() -> None:
    await asyncio.sleep(0)


def test_flushes(background: asyncio.AbstractEventLoop) -> None:
    begun = threading.Event()
    background.call_soon_threadsafe(begun.set)
    background.call_soon_threadsafe(GATE.wait)
    begun.wait()
    background.create_task(flush(), name="flusher")  # born:here


def test_neighbour() -> None:
    pass
