# expect: TL601 test_leaves what=Loop born=here
# why: uvloop's loop is an event loop like any other
# runner: uvloop
# needs: uvloop
import asyncio

import uvloop

LOOPS: list[asyncio.AbstractEventLoop] = []


def test_leaves() -> None:
    loop = uvloop.new_event_loop()  # born:here
    LOOPS.append(loop)
    loop.run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    pass
