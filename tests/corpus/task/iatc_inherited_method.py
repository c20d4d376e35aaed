# expect: TL101|TL102 ChildTest::test_leaves what=ServiceBase.forever born=here
# why: the test method and the task come from a base class; the subclass is what ran
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


class ServiceBase:
    async def forever(self) -> None:
        await asyncio.sleep(3600)

    async def test_leaves(self) -> None:
        asyncio.create_task(self.forever())  # born:here
        await asyncio.sleep(0)


class ChildTest(ServiceBase, unittest.IsolatedAsyncioTestCase):
    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
