# expect: TL101 test_pipeline what=feed born=feed cause=lock-kept finality=stuck
# waits: *Lock*
# row: held_by *'reader'*
# expect: TL101 test_pipeline what=read born=read cause=wait-in-lock finality=stuck
# waits: *Queue*get*
# edge: task 'feeder' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'reader' [held by]
# edge: task 'reader' -> asyncio.Queue* [waits for]
# edge: asyncio.Queue* -> task 'feeder' [needs put*()]
# cycle: task 'feeder', task 'reader'
# why: the reader waits for an item under the lock, which the feeder needs before it can put one
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def read(lock: asyncio.Lock, items: asyncio.Queue[int]) -> None:
    async with lock:
        await items.get()


async def feed(lock: asyncio.Lock, items: asyncio.Queue[int]) -> None:
    async with lock:
        pass
    await items.put(1)


async def test_pipeline() -> None:
    lock = asyncio.Lock()
    items: asyncio.Queue[int] = asyncio.Queue()
    TASKS.append(asyncio.create_task(read(lock, items), name="reader"))  # born:read
    await asyncio.sleep(0)
    TASKS.append(asyncio.create_task(feed(lock, items), name="feeder"))  # born:feed
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
