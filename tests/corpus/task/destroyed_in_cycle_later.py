# expect: TL105 test_makes what=lonely born=here
# why: nobody keeps the pending task; whoever runs the collector later is innocent
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import gc


async def lonely() -> None:
    await asyncio.get_running_loop().create_future()


async def test_makes() -> None:
    asyncio.create_task(lonely())  # born:here
    await asyncio.sleep(0)
    gc.collect()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
