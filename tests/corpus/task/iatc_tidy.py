# expect: clean
# why: asyncTearDown and addAsyncCleanup end what asyncSetUp and the test began
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def forever() -> None:
    await asyncio.sleep(3600)


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.task = asyncio.create_task(forever())
        await asyncio.sleep(0)

    async def asyncTearDown(self) -> None:
        await end(self.task)

    async def test_uses(self) -> None:
        self.assertFalse(self.task.done())

    async def test_cleanup(self) -> None:
        task = asyncio.create_task(forever())
        self.addAsyncCleanup(end, task)
        await asyncio.sleep(0)

    async def test_cancels_last(self) -> None:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        task.cancel()
