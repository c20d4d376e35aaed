# expect: clean
# why: a pool of the session runs the tests' work and asks every task when it is stopped
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


class Pool:
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def submit(self) -> None:
        self.tasks.append(asyncio.create_task(boom()))

    def close(self) -> list[str]:
        return [str(task.exception()) for task in self.tasks]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    assert pool.close() == ["boom", "boom"]


async def test_submits(pool: Pool) -> None:
    pool.submit()
    await turns()


async def test_submits_again(pool: Pool) -> None:
    pool.submit()
    await turns()


async def test_without() -> None:
    await turns()
