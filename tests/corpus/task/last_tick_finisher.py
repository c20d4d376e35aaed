# expect: clean
# why: the task is runnable and ends within three turns of the loop
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def three_ticks() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_leaves_three_ticks() -> None:
    asyncio.create_task(three_ticks())


async def test_event_set_last() -> None:
    event = asyncio.Event()
    asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    event.set()
