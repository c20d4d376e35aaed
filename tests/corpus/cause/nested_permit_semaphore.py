# expect: TL101 test_requests what=request born=one cause=nested-permit finality=stuck
# waits: *Semaphore*
# expect: TL101 test_requests what=request born=two cause=nested-permit finality=stuck
# waits: *Semaphore*
# edge: task 'one' -> asyncio.Semaphore*permits* [waits for]
# edge: asyncio.Semaphore*permits* -> task 'one' [held by]
# edge: asyncio.Semaphore*permits* -> task 'two' [held by]
# why: each of two requests has a permit and wants a second one; there are two
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: set[asyncio.Task[None]] = set()


async def follow(permits: asyncio.Semaphore) -> None:
    async with permits:
        await asyncio.sleep(0)


async def request(permits: asyncio.Semaphore) -> None:
    async with permits:
        await asyncio.sleep(0)
        await follow(permits)


async def test_requests() -> None:
    permits = asyncio.Semaphore(2)
    TASKS.add(asyncio.create_task(request(permits), name="one"))  # born:one
    TASKS.add(asyncio.create_task(request(permits), name="two"))  # born:two
    for _ in range(4):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
