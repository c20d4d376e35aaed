# expect: clean
# why: cancelled in tearDown and by a cleanup
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


def remind() -> None: ...


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.handle = asyncio.get_running_loop().call_later(3600, remind)

    async def asyncTearDown(self) -> None:
        self.handle.cancel()

    async def test_own(self) -> None:
        self.addCleanup(asyncio.get_running_loop().call_later(3600, remind).cancel)

    async def test_none(self) -> None:
        await asyncio.sleep(0)
