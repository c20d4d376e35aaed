# expect: TL101|TL102 ServiceTest::test_serves what=ServiceTest.serve born=here cause=event-never-set finality=wakeable
# waits: *Event*
# kept: *task*
# why: the test instance lives on, and can reach the event
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def serve(self) -> None:
        await self.ready.wait()

    async def test_serves(self) -> None:
        self.ready = asyncio.Event()
        self.task = asyncio.create_task(self.serve(), name="server")  # born:here
        await asyncio.sleep(0)

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
