# expect: TL701 test_loses what=boom born=here
# why: the task is kept, but nobody ever asks for its result
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

KEPT: list[asyncio.Task[None]] = []


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_loses() -> None:
    KEPT.append(asyncio.create_task(boom()))  # born:here
    await turns()


async def test_neighbour() -> None:
    await turns()
