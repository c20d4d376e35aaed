# expect: clean
# why: the first test fills the session's pool; its tasks hang on the fixture's value, which closes them
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio


class Connection:
    def __init__(self) -> None:
        self.reader = asyncio.create_task(self.read())

    async def read(self) -> None:
        await asyncio.sleep(3600)

    async def close(self) -> None:
        self.reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.reader


class Pool:
    def __init__(self) -> None:
        self.idle: dict[str, list[Connection]] = {}

    async def connection(self, host: str) -> Connection:
        idle = self.idle.setdefault(host, [])
        if not idle:
            idle.append(Connection())
        await asyncio.sleep(0)
        return idle[0]

    async def close(self) -> None:
        for idle in self.idle.values():
            for connection in idle:
                await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await pool.close()


async def test_fills(pool: Pool) -> None:
    await pool.connection("a")


async def test_reuses(pool: Pool) -> None:
    await pool.connection("a")
    await pool.connection("b")


async def test_without() -> None:
    await asyncio.sleep(0)
