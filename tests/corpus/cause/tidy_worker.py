# expect: clean
# why: the fixture stops its poller and waits for it, the test closes its client and waits for that
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def poll(polled: list[int]) -> None:
    while True:
        polled.append(1)
        await asyncio.sleep(30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def poller() -> AsyncIterator[list[int]]:
    polled: list[int] = []
    task = asyncio.create_task(poll(polled))
    await asyncio.sleep(0)
    yield polled
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def clean_up() -> None:
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0.01)


async def test_polls(poller: list[int]) -> None:
    assert poller == [1]


async def test_closes() -> None:
    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
