# expect: TL101|TL102 SessionTest::test_ping what=SessionTest.keep_alive born=here cause=no-stop finality=outside
# waits: *sleep*
# kept: *keeper*
# why: started by asyncSetUp, kept by the test instance, stopped by no asyncTearDown
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


class SessionTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.pings = 0
        self.keeper = asyncio.create_task(self.keep_alive())  # born:here
        await asyncio.sleep(0)

    async def keep_alive(self) -> None:
        while True:
            self.pings += 1
            await asyncio.sleep(30)

    async def test_ping(self) -> None:
        self.assertEqual(self.pings, 1)
