# expect: clean
# why: the cancelled task needs 5 ms for its own cleanup
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def careful() -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.005)


async def test_cancels() -> None:
    task = asyncio.create_task(careful())
    await asyncio.sleep(0)
    task.cancel()
