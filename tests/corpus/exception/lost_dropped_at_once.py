# expect: TL701 test_loses what=boom born=here
# why: nobody keeps the task, so asyncio logs its exception when it dies
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_loses() -> None:
    asyncio.create_task(boom())  # born:here
    await turns()


async def test_neighbour() -> None:
    await turns()
