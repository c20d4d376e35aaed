# expect: TL101 test_requests what=Pool.request born=one cause=nested-permit finality=deadlock
# waits: *BoundedSemaphore*
# expect: TL101 test_requests what=Pool.request born=two cause=nested-permit finality=deadlock
# waits: *BoundedSemaphore*
# edge: task 'two' -> asyncio.BoundedSemaphore*permits* [waits for]
# edge: asyncio.BoundedSemaphore*permits* -> task 'one' [held by]
# edge: asyncio.BoundedSemaphore*permits* -> task 'two' [held by]
# why: the pool is a global; all that it has lent is lent to those who wait
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Pool:
    def __init__(self) -> None:
        self.permits = asyncio.BoundedSemaphore(2)

    async def query(self) -> None:
        async with self.permits:
            await asyncio.sleep(0)

    async def request(self) -> None:
        async with self.permits:
            await asyncio.sleep(0)
            await self.query()


POOL = Pool()
TASKS: set[asyncio.Task[None]] = set()


async def test_requests() -> None:
    TASKS.add(asyncio.create_task(POOL.request(), name="one"))  # born:one
    TASKS.add(asyncio.create_task(POOL.request(), name="two"))  # born:two
    for _ in range(4):
        await asyncio.sleep(0)
