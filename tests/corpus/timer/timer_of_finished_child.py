# expect: TL201 test_leaves what=remind
# why: set by a child task that is done; the owner comes through its context
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def remind() -> None: ...


async def child() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_leaves() -> None:
    await asyncio.gather(asyncio.create_task(child()))


async def test_neighbour() -> None:
    await asyncio.sleep(0)
