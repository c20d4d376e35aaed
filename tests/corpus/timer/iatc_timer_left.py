# expect: TL201|TL202 ServiceTest::test_leaves what=remind
# why: the test case closes its loop inside the call
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


def remind() -> None: ...


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_leaves(self) -> None:
        asyncio.get_running_loop().call_later(3600, remind)

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
