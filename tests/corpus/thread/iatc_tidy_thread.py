# expect: clean
# why: threads of an async test case, joined in cleanups
# runner: IsolatedAsyncioTestCase
import asyncio
import threading
import unittest


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.stop = threading.Event()
        thread = threading.Thread(target=self.stop.wait)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.stop.set)

    async def test_one(self) -> None:
        await asyncio.sleep(0)

    async def test_to_thread(self) -> None:
        await asyncio.to_thread(self.stop.is_set)
