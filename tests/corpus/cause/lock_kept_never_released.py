# expect: TL101 test_works what=enter born=here cause=lock-kept finality=stuck
# waits: *Lock*
# edge: task 'visitor' -> asyncio.Lock* [waits for]
# no-edge: asyncio.Lock* -> task * [held by]
# why: its holder took it with a bare acquire() and ended; nobody is left to release it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def prepare(door: asyncio.Lock) -> None:
    await door.acquire()


async def enter(door: asyncio.Lock) -> None:
    async with door:
        pass


async def test_works() -> None:
    door = asyncio.Lock()
    await asyncio.create_task(prepare(door))
    TASKS.append(asyncio.create_task(enter(door), name="visitor"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
