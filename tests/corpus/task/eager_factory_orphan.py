# expect: TL101 test_leaves what=forever born=here
# why: an eager task runs its first step inside create_task and is left at its first wait
# runner: pytest-asyncio function
# needs: pytest-asyncio, python>=3.12
# args: -o asyncio_mode=auto
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
