# expect: TL102 test_leaves what=consume born=here
# why: the runner cancels the task, and the generator ends with it
# runner: asyncio.run
import asyncio
from collections.abc import AsyncIterator

TASKS: list[asyncio.Task[None]] = []


async def ticks() -> AsyncIterator[int]:
    number = 0
    while True:
        yield number
        await asyncio.sleep(3600)


async def consume() -> None:
    async for _ in ticks():
        pass


async def main() -> None:
    TASKS.append(asyncio.create_task(consume()))  # born:here
    await asyncio.sleep(0)


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
