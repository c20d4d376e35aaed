# expect: clean
# why: kept tasks and finished ones survive the collector
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import gc


async def waits(gate: asyncio.Event) -> None:
    await gate.wait()


async def test_kept() -> None:
    gate = asyncio.Event()
    task = asyncio.create_task(waits(gate))
    await asyncio.sleep(0)
    gc.collect()
    gate.set()
    await task


async def test_finished() -> None:
    asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


async def test_cancelled() -> None:
    task = asyncio.create_task(waits(asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    del task
    await asyncio.sleep(0)
    gc.collect()
