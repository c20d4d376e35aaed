# expect: TL101 test_transfers what=debit born=debit cause=lock-order finality=deadlock
# waits: *Lock*
# row: held_by *'credit'*
# expect: TL101 test_transfers what=credit born=credit cause=lock-order finality=deadlock
# waits: *Lock*
# row: held_by *'debit'*
# edge: task 'debit' -> asyncio.Lock*LEDGER* [waits for]
# edge: asyncio.Lock*LEDGER* -> task 'credit' [held by]
# edge: asyncio.Lock*ACCOUNT* -> task 'debit' [held by]
# cycle: task 'debit', task 'credit'
# why: the locks are globals of the module: anybody could release them, but only their holders do
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

ACCOUNT, LEDGER = asyncio.Lock(), asyncio.Lock()
TASKS: set[asyncio.Task[None]] = set()


async def debit() -> None:
    async with ACCOUNT:
        await asyncio.sleep(0)
        async with LEDGER:
            pass


async def credit() -> None:
    async with LEDGER:
        await asyncio.sleep(0)
        async with ACCOUNT:
            pass


async def test_transfers() -> None:
    TASKS.add(asyncio.create_task(debit(), name="debit"))  # born:debit
    TASKS.add(asyncio.create_task(credit(), name="credit"))  # born:credit
    for _ in range(4):
        await asyncio.sleep(0)
