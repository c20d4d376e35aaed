# expect: TL101 test_starts what=[cr]* cause=await-cycle finality=stuck
# maybe: TL101 test_starts what=[cr]* cause=await-cycle finality=stuck
# edge: task 'collector' -> task 'reporter' [awaits]
# edge: task 'reporter' -> task 'collector' [awaits]
# cycle: task 'collector', task 'reporter'
# plain: may fail
# why: one direction of the cycle leads through gather
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: dict[str, asyncio.Task[None]] = {}


async def collect() -> None:
    await asyncio.gather(TASKS["reporter"], asyncio.sleep(0))


async def report() -> None:
    await TASKS["collector"]


async def test_starts() -> None:
    TASKS["reporter"] = asyncio.create_task(report(), name="reporter")
    TASKS["collector"] = asyncio.create_task(collect(), name="collector")
    for _ in range(4):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
