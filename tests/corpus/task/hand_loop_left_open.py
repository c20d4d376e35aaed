# expect: TL101 test_leaves what=forever born=here
# expect: TL601 test_leaves
# why: the loop is neither run nor closed any more, the task waits on it for good
# runner: sync own loop
import asyncio

LOOPS: list[asyncio.AbstractEventLoop] = []


async def forever() -> None:
    await asyncio.sleep(3600)


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    LOOPS.append(loop)
    loop.create_task(forever())  # born:here
    loop.run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    pass
