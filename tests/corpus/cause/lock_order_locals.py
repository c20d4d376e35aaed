# expect: TL101 test_transfers what=transfer born=ab cause=lock-order finality=stuck
# waits: *Lock*
# row: held_by *'ba'*test_lock_order_locals.py:*
# kept: *TASKS*
# expect: TL101 test_transfers what=transfer born=ba cause=lock-order finality=stuck
# waits: *Lock*
# row: held_by *'ab'*test_lock_order_locals.py:*
# edge: task 'ab' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'ba' [held by]
# edge: task 'ba' -> asyncio.Lock* [waits for]
# edge: asyncio.Lock* -> task 'ab' [held by]
# cycle: task 'ab', task 'ba'
# why: two locks in opposite order, which nobody else knows
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: set[asyncio.Task[None]] = set()


async def transfer(source: asyncio.Lock, target: asyncio.Lock) -> None:
    async with source:
        await asyncio.sleep(0)
        async with target:
            pass


async def test_transfers() -> None:
    one, two = asyncio.Lock(), asyncio.Lock()
    TASKS.add(asyncio.create_task(transfer(one, two), name="ab"))  # born:ab
    TASKS.add(asyncio.create_task(transfer(two, one), name="ba"))  # born:ba
    for _ in range(4):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
