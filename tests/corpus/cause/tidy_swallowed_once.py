# expect: clean
# why: a cancellation that is swallowed for good reason: it ends the loop, and the task returns
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextlib


async def serve(served: list[int]) -> str:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            served.append(1)
            await asyncio.sleep(0)
    return "stopped"


async def test_stops() -> None:
    served: list[int] = []
    task = asyncio.create_task(serve(served))
    while len(served) < 3:
        await asyncio.sleep(0)
    task.cancel()
    assert await task == "stopped"
