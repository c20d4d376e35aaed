# expect: TL101|TL102 test_leaves what=work
# why: a coroutine that has begun is a task's; it is told as such and not as never awaited
# runner: asyncio.run
import asyncio


async def work() -> None:
    await asyncio.get_running_loop().create_future()


async def main() -> None:
    asyncio.create_task(work())


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    asyncio.run(asyncio.sleep(0))
