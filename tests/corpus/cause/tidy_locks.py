# expect: clean
# why: two locks in one order, a condition that is notified, a semaphore with a permit to spare
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def transfer(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0)
        async with second:
            await asyncio.sleep(0)


async def test_one_order() -> None:
    one, two = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(transfer(one, two), transfer(one, two))


async def nest(permits: asyncio.Semaphore) -> None:
    async with permits:
        await asyncio.sleep(0)
        async with permits:
            await asyncio.sleep(0)


async def test_enough_permits() -> None:
    permits = asyncio.BoundedSemaphore(3)
    await asyncio.gather(nest(permits), nest(permits))


async def test_notified() -> None:
    changed = asyncio.Condition()

    async def watch() -> None:
        async with changed:
            await changed.wait()

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    async with changed:
        changed.notify_all()
    await watcher


async def test_barrier_full() -> None:
    barrier = asyncio.Barrier(2)
    await asyncio.gather(barrier.wait(), barrier.wait())
