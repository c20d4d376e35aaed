# expect: TL101 test_calls what=Connection.call born=one cause=dropped-future finality=stuck
# waits: *Future*
# expect: TL101 test_calls what=Connection.call born=two finality=wakeable
# waits: *Future*
# why: the reply of the first call was taken out of the table and not resolved; that of the second still stands there
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Connection:
    def __init__(self) -> None:
        self.pending: dict[int, asyncio.Future[str]] = {}

    async def call(self, number: int) -> str:
        self.pending[number] = asyncio.get_running_loop().create_future()
        return await self.pending[number]

    def lost(self, number: int) -> None:
        self.pending.pop(number, None)


CONNECTION = Connection()
TASKS: list[asyncio.Task[str]] = []


async def test_calls() -> None:
    TASKS.append(asyncio.create_task(CONNECTION.call(1), name="one"))  # born:one
    TASKS.append(asyncio.create_task(CONNECTION.call(2), name="two"))  # born:two
    await asyncio.sleep(0)
    CONNECTION.lost(1)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
