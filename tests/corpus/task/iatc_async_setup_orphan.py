# expect: TL101|TL102 ServiceTest::test_one what=forever born=here
# expect: TL101|TL102 ServiceTest::test_two what=forever born=here
# why: asyncSetUp runs as a part of each test
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def forever() -> None:
    await asyncio.sleep(3600)


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.task = asyncio.create_task(forever())  # born:here
        await asyncio.sleep(0)

    async def test_one(self) -> None:
        self.assertFalse(self.task.done())

    async def test_two(self) -> None:
        self.assertFalse(self.task.done())


class OtherTest(unittest.IsolatedAsyncioTestCase):
    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
