# expect: clean
# why: an asynchronous cleanup stops it
# runner: IsolatedAsyncioTestCase
# needs: posix
import asyncio
import unittest


class TestServer(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.process = await asyncio.create_subprocess_exec("sleep", "60")
        self.addAsyncCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    async def test_uses(self) -> None:
        assert self.process.returncode is None
