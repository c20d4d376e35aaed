# expect: TL101 test_works what=enter born=enter cause=lock-kept finality=stuck
# waits: *Lock*
# row: held_by *'keeper'*test_lock_kept_by_waiter.py:*
# expect: TL101 test_works what=keep born=keep cause=event-never-set finality=stuck
# waits: *Event*
# edge: task 'visitor' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'keeper' [held by]
# edge: task 'keeper' -> asyncio.Event* [waits for]
# no-cycle:
# why: the one who has the lock waits for an event that nobody can set
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def keep(door: asyncio.Lock, ready: asyncio.Event) -> None:
    async with door:
        await ready.wait()


async def enter(door: asyncio.Lock) -> None:
    async with door:
        pass


async def test_works() -> None:
    door = asyncio.Lock()
    TASKS.append(asyncio.create_task(keep(door, asyncio.Event()), name="keeper"))  # born:keep
    await asyncio.sleep(0)
    TASKS.append(asyncio.create_task(enter(door), name="visitor"))  # born:enter
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
