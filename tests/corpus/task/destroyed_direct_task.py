# expect: TL105 test_makes what=lonely
# why: made without the loop's create_task; its context names its maker
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import gc


async def lonely() -> None:
    await asyncio.get_running_loop().create_future()


async def test_makes() -> None:
    asyncio.Task(lonely(), loop=asyncio.get_running_loop())
    await asyncio.sleep(0)
    gc.collect()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
