# expect: TL701 ServiceTest::test_loses what=boom born=here
# why: IsolatedAsyncioTestCase does not look at other tasks than its own
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_before(self) -> None:
        await turns()

    async def test_loses(self) -> None:
        asyncio.create_task(boom())  # born:here
        await turns()

    async def test_neighbour(self) -> None:
        with self.assertRaises(ValueError):
            await boom()
