# expect: TL101 test_leaves what=enter born=here
# why: the lock is held for good, the waiter is stranded
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

LOCKS: list[asyncio.Lock] = []


async def enter(lock: asyncio.Lock) -> None:
    async with lock:
        pass


async def test_leaves() -> None:
    lock = asyncio.Lock()
    LOCKS.append(lock)
    await lock.acquire()
    asyncio.create_task(enter(lock))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
