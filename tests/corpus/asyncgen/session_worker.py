# expect: clean
# why: the session's service starts its worker in the first test that uses it; the worker iterates on
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Service:
    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.queue: asyncio.Queue[int] = asyncio.Queue()

    async def items(self) -> AsyncIterator[int]:
        while True:
            yield await self.queue.get()

    async def work(self) -> None:
        async for _ in self.items():
            self.queue.task_done()

    async def put(self, number: int) -> None:
        if self.task is None:
            self.task = asyncio.create_task(self.work())
        await self.queue.put(number)
        await self.queue.join()

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service() -> AsyncIterator[Service]:
    made = Service()
    yield made
    await made.stop()


async def test_first(service: Service) -> None:
    await service.put(1)


async def test_second(service: Service) -> None:
    await service.put(2)
