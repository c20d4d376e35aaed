# expect: clean
# why: eager tasks that never wait are done inside create_task
# runner: pytest-asyncio function
# needs: pytest-asyncio, python>=3.12
# args: -o asyncio_mode=auto
import asyncio


async def at_once() -> int:
    return 1


async def one_tick() -> None:
    await asyncio.sleep(0)


async def test_eager() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    assert asyncio.create_task(at_once()).done()
    asyncio.create_task(one_tick())
