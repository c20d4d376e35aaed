# expect: TL711 ServiceTest::test_forgets what=work born=here
# why: the statement lacks an await
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def work() -> None:
    await asyncio.sleep(0)


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_before(self) -> None:
        await work()

    async def test_forgets(self) -> None:
        work()  # born:here

    async def test_neighbour(self) -> None:
        await work()
