# expect: TL101 test_saves what=save born=here cause=reentry finality=stuck
# waits: *Lock*
# edge: task 'saver' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'saver' [held by]
# kept: nobody
# why: it waits for a lock that it holds itself; nobody else knows the lock, nor the task
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import gc

gc.disable()  # the collector would destroy the task before the test ends


async def write(lock: asyncio.Lock) -> None:
    async with lock:
        pass


async def save(lock: asyncio.Lock) -> None:
    async with lock:
        await write(lock)


async def test_saves() -> None:
    asyncio.create_task(save(asyncio.Lock()), name="saver")  # born:here
    for _ in range(3):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
