# expect: TL101|TL102 ServiceTest::test_leaves what=forever born=here
# why: IsolatedAsyncioTestCase closes its runner inside the call and cancels silently
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def forever() -> None:
    await asyncio.sleep(3600)


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_before(self) -> None:
        await asyncio.sleep(0)

    async def test_leaves(self) -> None:
        asyncio.create_task(forever())  # born:here
        await asyncio.sleep(0)

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
