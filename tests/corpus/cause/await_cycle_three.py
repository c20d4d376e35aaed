# expect: TL102 test_starts what=Stage.run cause=await-cycle finality=stuck
# maybe: TL102 test_starts what=Stage.run cause=await-cycle finality=stuck
# maybe: TL102 test_starts what=Stage.run cause=await-cycle finality=stuck
# edge: task 'a' -> task 'b' [awaits]
# edge: task 'b' -> task 'c' [awaits]
# edge: task 'c' -> task 'a' [awaits]
# cycle: task 'a', task 'b', task 'c'
# plain: may fail
# why: three stages in a ring, each waits for the next; asyncio.run must survive their cancellation
# runner: sync asyncio.run
import asyncio


class Stage:
    def __init__(self) -> None:
        self.after: Stage | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        assert self.after is not None
        assert self.after.task is not None
        await self.after.task


STAGES = [Stage(), Stage(), Stage()]


async def main() -> None:
    for number, stage in enumerate(STAGES):
        stage.after = STAGES[(number + 1) % 3]
    first, second, third = STAGES
    first.task = asyncio.create_task(first.run(), name="a")
    second.task = asyncio.create_task(second.run(), name="b")
    third.task = asyncio.create_task(third.run(), name="c")
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_starts() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
