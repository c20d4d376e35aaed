# expect: TL101 fixture:pool what=Pool.read on=test_reuses
# why: the pool is filled by a test but lives in the session fixture's value; its fixture never closes it
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


class Pool:
    def __init__(self) -> None:
        self.readers: list[asyncio.Task[None]] = []

    async def read(self) -> None:
        await asyncio.sleep(3600)

    async def connection(self) -> None:
        if not self.readers:
            self.readers.append(asyncio.create_task(self.read()))
        await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool() -> AsyncIterator[Pool]:
    yield Pool()


async def test_fills(pool: Pool) -> None:
    await pool.connection()


async def test_reuses(pool: Pool) -> None:
    await pool.connection()


async def test_last() -> None:
    await asyncio.sleep(0)
