# expect: TL701 test_loses what=boom born=here
# why: the main coroutine never asks what became of its helper
# runner: asyncio.run
import asyncio


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def main() -> None:
    asyncio.create_task(boom())  # born:here
    await turns()


def test_loses() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    asyncio.run(turns())
