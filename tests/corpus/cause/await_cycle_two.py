# expect: TL101 test_starts what=wait_for_other cause=await-cycle finality=stuck
# maybe: TL101 test_starts what=wait_for_other cause=await-cycle finality=stuck
# edge: task 'x' -> task 'y' [awaits]
# edge: task 'y' -> task 'x' [awaits]
# cycle: task 'x', task 'y'
# plain: may fail
# why: each awaits the other; without help, cancelling them ends in a RecursionError
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: dict[str, asyncio.Task[None]] = {}


async def wait_for_other(name: str) -> None:
    await TASKS[name]


async def test_starts() -> None:
    TASKS["x"] = asyncio.create_task(wait_for_other("y"), name="x")
    TASKS["y"] = asyncio.create_task(wait_for_other("x"), name="y")
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
