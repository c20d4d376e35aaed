# expect: TL104 test_leaves what=stubborn born=here
# why: the task swallows every cancellation; the run must neither hang nor miss it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextlib

ENOUGH: list[int] = []


async def stubborn() -> None:
    while len(ENOUGH) < 200:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.02)
        ENOUGH.append(1)


async def test_leaves() -> None:
    task = asyncio.create_task(stubborn())  # born:here
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
