# expect: clean
# why: sleeps and timeouts of cancelled and finished tasks leave cancelled handles only
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio


async def limited() -> None:
    async with asyncio.timeout(3600):
        await asyncio.wait_for(asyncio.sleep(0), 7200)


async def test_finished() -> None:
    await asyncio.gather(limited(), limited())


async def test_cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
