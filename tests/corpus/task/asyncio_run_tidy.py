# expect: clean
# why: nothing is pending when asyncio.run closes, or it was cancelled before and needs one turn
# runner: sync asyncio.run
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def awaited() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task


async def cancelled() -> None:
    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    task.cancel()


async def generator() -> None:
    async with asyncio.timeout(3600):
        await asyncio.sleep(0)


def test_awaited() -> None:
    asyncio.run(awaited())


def test_cancelled() -> None:
    asyncio.run(cancelled())


def test_timeout() -> None:
    asyncio.run(generator())
