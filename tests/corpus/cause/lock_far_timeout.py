# expect: TL101 test_enters what=enter born=here cause=lock-kept finality=outside
# waits: *Lock*
# why: the lock is never released, but a timeout will end the wait
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def enter(door: asyncio.Lock) -> None:
    async with asyncio.timeout(3600):
        async with door:
            pass


async def test_enters() -> None:
    door = asyncio.Lock()
    await door.acquire()
    TASKS.append(asyncio.create_task(enter(door), name="visitor"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
