# expect: TL711 fixture:ticker what=work on=test_meanwhile
# why: the timer of a session fixture drops a coroutine while an innocent test runs
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

GO = asyncio.Event()


async def work() -> None:
    await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ticker() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        await GO.wait()
        loop.call_soon(work)

    task = asyncio.create_task(wait())
    yield
    await task


async def test_before(ticker: None) -> None:
    await work()


async def test_meanwhile(ticker: None) -> None:
    GO.set()
    for _ in range(4):
        await asyncio.sleep(0)
