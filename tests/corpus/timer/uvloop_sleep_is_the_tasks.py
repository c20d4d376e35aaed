# expect: TL102 test_leaves what=forever
# why: the fold holds on uvloop too
# runner: uvloop
# needs: uvloop
import asyncio

import uvloop


async def forever() -> None:
    async with asyncio.timeout(7200):
        await asyncio.sleep(3600)


async def main() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


def test_leaves() -> None:
    uvloop.run(main())


def test_neighbour() -> None:
    pass
