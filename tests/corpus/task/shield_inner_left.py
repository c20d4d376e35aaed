# expect: TL101 test_leaves what=inner
# why: the outer wait is cancelled and awaited, the shielded inner task goes on
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextlib


async def inner() -> None:
    await asyncio.sleep(3600)


async def outer() -> None:
    await asyncio.shield(inner())


async def test_leaves() -> None:
    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_neighbour() -> None:
    await asyncio.sleep(0)
