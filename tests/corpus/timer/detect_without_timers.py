# expect: clean
# why: the option takes timers out of what is watched
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-detect=-timer
import asyncio


def remind() -> None: ...


async def test_leaves() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
