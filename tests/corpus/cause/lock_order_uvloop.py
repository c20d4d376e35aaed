# expect: TL101 test_transfers what=Account.transfer born=ab cause=lock-order finality=stuck
# row: held_by *'ba'*
# expect: TL101 test_transfers what=Account.transfer born=ba cause=lock-order finality=stuck
# row: held_by *'ab'*
# edge: task 'ab' -> asyncio.Lock*lock* [waits for]
# edge: asyncio.Lock*lock* -> task 'ba' [held by]
# cycle: task 'ab', task 'ba'
# why: the locks are attributes of two accounts, the loop is uvloop's
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning
import asyncio

import pytest
import uvloop

TASKS: set[asyncio.Task[None]] = set()


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


class Account:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def transfer(self, other: "Account") -> None:
        async with self.lock:
            await asyncio.sleep(0)
            async with other.lock:
                pass


async def test_transfers() -> None:
    one, two = Account(), Account()
    TASKS.add(asyncio.create_task(one.transfer(two), name="ab"))  # born:ab
    TASKS.add(asyncio.create_task(two.transfer(one), name="ba"))  # born:ba
    for _ in range(4):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
