# expect: TL201 test_leaves what=remind
# expect: TL601 test_leaves
# why: the loop by hand stays open, the timer stays scheduled on it
# runner: sync own loop
import asyncio

LOOPS: list[asyncio.AbstractEventLoop] = []


def remind() -> None: ...


async def arm() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    LOOPS.append(loop)
    loop.run_until_complete(arm())


def test_neighbour() -> None:
    pass
