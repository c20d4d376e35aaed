# expect: clean
# why: the test hands work to the session's group, which holds and ends it: adopted
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator, Coroutine

import pytest_asyncio


class Scheduler:
    def __init__(self) -> None:
        self.jobs: set[asyncio.Task[None]] = set()

    def spawn(self, job: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(job)
        self.jobs.add(task)
        task.add_done_callback(self.jobs.discard)

    async def close(self) -> None:
        jobs = list(self.jobs)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scheduler() -> AsyncIterator[Scheduler]:
    scheduler = Scheduler()
    yield scheduler
    await scheduler.close()


async def test_spawns(scheduler: Scheduler) -> None:
    scheduler.spawn(asyncio.sleep(3600))
    await asyncio.sleep(0)


async def test_still_there(scheduler: Scheduler) -> None:
    assert len(scheduler.jobs) == 1
