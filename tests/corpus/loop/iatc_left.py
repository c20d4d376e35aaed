# expect: TL601 TestCase::test_leaves born=here
# why: IsolatedAsyncioTestCase closes its own loop, the one that the test makes stays open
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest

LOOPS: list[asyncio.AbstractEventLoop] = []


class TestCase(unittest.IsolatedAsyncioTestCase):
    async def test_leaves(self) -> None:
        LOOPS.append(asyncio.new_event_loop())  # born:here

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)


class TestPlain(unittest.TestCase):
    def test_closes(self) -> None:
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        loop.run_until_complete(asyncio.sleep(0))
