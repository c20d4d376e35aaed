# expect: TL303 ServiceTest::test_leaves born=made
# why: left by a method of IsolatedAsyncioTestCase
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest
from concurrent.futures import ThreadPoolExecutor

POOLS: list[ThreadPoolExecutor] = []


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_leaves(self) -> None:
        pool = ThreadPoolExecutor(1)  # born:made
        POOLS.append(pool)
        self.assertEqual(await asyncio.get_running_loop().run_in_executor(pool, len, "abc"), 3)

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
