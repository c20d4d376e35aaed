# expect: TL102 ServiceTest::test_leaves what=forever born=here
# why: asyncio.run inside a method of a plain TestCase
# runner: unittest
import asyncio
import unittest


async def forever() -> None:
    await asyncio.sleep(3600)


async def main() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


class ServiceTest(unittest.TestCase):
    def test_leaves(self) -> None:
        asyncio.run(main())

    def test_neighbour(self) -> None:
        self.assertTrue(True)
