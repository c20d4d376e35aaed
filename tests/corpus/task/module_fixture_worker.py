# expect: clean
# why: a worker of the module, started in the fixture's setup and stopped in its teardown
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

Jobs = asyncio.Queue[asyncio.Event]


async def work(jobs: Jobs) -> None:
    while True:
        job = await jobs.get()
        await asyncio.wait_for(asyncio.sleep(0), 3600)
        job.set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jobs() -> AsyncIterator[Jobs]:
    jobs: Jobs = asyncio.Queue()
    worker = asyncio.create_task(work(jobs))
    yield jobs
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker


async def test_first(jobs: Jobs) -> None:
    jobs.put_nowait(job := asyncio.Event())
    await job.wait()


async def test_second(jobs: Jobs) -> None:
    jobs.put_nowait(job := asyncio.Event())
    await job.wait()
