# expect: TL701 fixture:worker what=Worker.step born=here on=test_triggers
# why: a worker of the session starts the task that fails, while a test only asks it to
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


class Worker:
    def __init__(self) -> None:
        self.jobs: asyncio.Queue[int] = asyncio.Queue()
        self.started: list[asyncio.Task[None]] = []

    async def step(self, job: int) -> None:
        raise ValueError(job)

    async def run(self) -> None:
        while job := await self.jobs.get():
            self.started.append(asyncio.create_task(self.step(job)))  # born:here


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker() -> AsyncIterator[Worker]:
    made = Worker()
    task = asyncio.create_task(made.run())
    yield made
    made.jobs.put_nowait(0)
    await task


async def test_before(worker: Worker) -> None:
    await asyncio.sleep(0)


async def test_triggers(worker: Worker) -> None:
    worker.jobs.put_nowait(1)
    for _ in range(5):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
