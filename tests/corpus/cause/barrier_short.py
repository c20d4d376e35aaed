# expect: TL101 test_meets what=Party.come born=one cause=barrier-short finality=stuck
# waits: *Barrier*
# expect: TL101 test_meets what=Party.come born=two cause=barrier-short finality=stuck
# waits: *Barrier*
# edge: task 'one' -> asyncio.Barrier*barrier* [waits for]
# edge: task 'two' -> asyncio.Barrier*barrier* [waits for]
# why: a barrier for three, and two have come
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


class Party:
    def __init__(self, guests: int) -> None:
        self.barrier = asyncio.Barrier(guests)

    async def come(self) -> None:
        async with self.barrier:
            pass


async def test_meets() -> None:
    party = Party(3)
    TASKS.append(asyncio.create_task(party.come(), name="one"))  # born:one
    TASKS.append(asyncio.create_task(party.come(), name="two"))  # born:two
    for _ in range(3):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
