# expect: clean
# why: cancelled by the last statement: it is on its way out and needs only turns of the loop
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_cancels() -> None:
    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    task.cancel()


async def test_cancels_a_chain() -> None:
    async def link(depth: int) -> None:
        await (asyncio.create_task(link(depth - 1)) if depth else asyncio.sleep(3600))

    chain = asyncio.create_task(link(10))
    for _ in range(12):
        await asyncio.sleep(0)
    chain.cancel()
