# expect: TL101 test_works what=enter born=enter finality=wakeable|outside
# waits: *Lock*
# row: held_by *'keeper'*
# expect: TL101 test_works what=keep born=keep finality=outside
# waits: *sleep*
# edge: task 'visitor' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'keeper' [held by]
# no-cycle:
# why: the holder sleeps, and will release the lock some day: no deadlock
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def keep(door: asyncio.Lock) -> None:
    async with door:
        await asyncio.sleep(30)


async def enter(door: asyncio.Lock) -> None:
    async with door:
        pass


async def test_works() -> None:
    door = asyncio.Lock()
    asyncio.create_task(keep(door), name="keeper")  # born:keep
    await asyncio.sleep(0)
    asyncio.create_task(enter(door), name="visitor")  # born:enter
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
