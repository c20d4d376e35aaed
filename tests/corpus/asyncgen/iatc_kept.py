# expect: TL611|TL612 TestCase::test_leaves what=TestCase.numbers born=here
# why: the test case's own method, begun and kept
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest
from collections.abc import AsyncIterator

KEPT: list[AsyncIterator[int]] = []


class TestCase(unittest.IsolatedAsyncioTestCase):
    async def numbers(self) -> AsyncIterator[int]:
        for number in range(10):
            await asyncio.sleep(0)
            yield number

    async def test_leaves(self) -> None:
        KEPT.append(self.numbers())
        await anext(KEPT[0])  # born:here

    async def test_neighbour(self) -> None:
        async for number in self.numbers():
            if number == 2:
                break

    async def close(self, generator: AsyncIterator[int]) -> None:
        await generator.aclose()

    async def test_closes_in_cleanup(self) -> None:
        generator = self.numbers()
        self.addAsyncCleanup(self.close, generator)
        await anext(generator)
