# expect: TL702 test_call_soon what=stumble
# expect: TL702 test_call_later what=stumble
# expect: TL702 test_done_callback what=stumble
# why: the loop logs what a callback raises, and goes on
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def stumble(*_: object) -> None:
    raise ValueError("boom")


async def test_call_soon() -> None:
    asyncio.get_running_loop().call_soon(stumble)
    await asyncio.sleep(0)


async def test_call_later() -> None:
    asyncio.get_running_loop().call_later(0.001, stumble)
    await asyncio.sleep(0.01)


async def test_done_callback() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.add_done_callback(stumble)
    await task
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    asyncio.get_running_loop().call_soon(print)
    await asyncio.sleep(0)
