# expect: TL601 test_leaves what=* born=here
# why: the loop was made by hand, and nobody closes it
# runner: sync own loop
import asyncio

LOOPS: list[asyncio.AbstractEventLoop] = []


def test_leaves() -> None:
    loop = asyncio.new_event_loop()  # born:here
    LOOPS.append(loop)
    loop.run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
