# expect: TL101|TL104 test_leaves what=deaf_once born=here
# why: the test's own cancel is swallowed once, the task sleeps on; a second one would end it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextlib


async def deaf_once() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    task = asyncio.create_task(deaf_once())  # born:here
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
