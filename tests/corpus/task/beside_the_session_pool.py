# expect: TL101 test_leaves what=forever born=here
# why: the test uses the session pool, but its own task is not of the pool
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio


class Pool:
    def __init__(self) -> None:
        self.readers: list[asyncio.Task[None]] = []

    async def read(self) -> None:
        await asyncio.sleep(3600)

    async def connection(self) -> None:
        self.readers.append(asyncio.create_task(self.read()))
        await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    for reader in pool.readers:
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves(pool: Pool) -> None:
    await pool.connection()
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour(pool: Pool) -> None:
    await pool.connection()
