# expect: TL202 test_leaves what=remind
# why: dropped with uvloop's loop when its run ends
# runner: uvloop
# needs: uvloop
import asyncio

import uvloop


def remind() -> None: ...


async def main() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


def test_leaves() -> None:
    uvloop.run(main())


def test_neighbour() -> None:
    pass
