# expect: clean
# why: gather(return_exceptions=True) has asked every task, even where nobody reads its answer
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


async def test_nobody_reads() -> None:
    await asyncio.gather(boom(), asyncio.create_task(boom()), return_exceptions=True)


async def test_neighbour() -> None:
    await turns()
