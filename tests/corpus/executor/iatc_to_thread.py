# expect: clean
# why: the test case's runner shuts the default executor down
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_one(self) -> None:
        self.assertEqual(await asyncio.to_thread(len, "abc"), 3)

    async def test_two(self) -> None:
        self.assertEqual(await asyncio.to_thread(len, "ab"), 2)
