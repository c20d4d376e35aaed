# expect: TL611 test_leaves what=numbers
# why: begun on the loop of another thread and kept; its twin is closed there
# runner: loop in thread
import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

KEPT: list[AsyncIterator[int]] = []


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def begin(generator: AsyncIterator[int]) -> int:
    return await anext(generator)


async def close(generator: AsyncIterator[int]) -> None:
    await generator.aclose()


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
    KEPT.append(numbers())
    assert asyncio.run_coroutine_threadsafe(begin(KEPT[0]), background).result() == 0


def test_closes(background: asyncio.AbstractEventLoop) -> None:
    generator = numbers()
    assert asyncio.run_coroutine_threadsafe(begin(generator), background).result() == 0
    asyncio.run_coroutine_threadsafe(close(generator), background).result()


def test_drops(background: asyncio.AbstractEventLoop) -> None:
    assert asyncio.run_coroutine_threadsafe(begin(numbers()), background).result() == 0
