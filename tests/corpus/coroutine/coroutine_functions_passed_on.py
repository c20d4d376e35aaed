# expect: clean
# why: coroutines made in one place and awaited in another, also by a fixture and across tests of a loop
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator, Coroutine

import pytest_asyncio

Job = Coroutine[None, None, None]


async def work() -> None:
    await asyncio.sleep(0)


@pytest_asyncio.fixture
async def jobs() -> AsyncIterator[list[Job]]:
    found: list[Job] = []
    yield found
    await asyncio.gather(*found)


async def test_fixture_runs_them(jobs: list[Job]) -> None:
    jobs += [work(), work()]


async def test_queue() -> None:
    queue: asyncio.Queue[Job] = asyncio.Queue()
    queue.put_nowait(work())
    await (await queue.get())
