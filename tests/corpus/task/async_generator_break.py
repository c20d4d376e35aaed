# expect: clean
# why: leaving `async for` early makes asyncio close the generator in a task of its own
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator


async def numbers() -> AsyncIterator[int]:
    try:
        for number in range(10):
            await asyncio.sleep(0)
            yield number
    finally:
        await asyncio.sleep(0)


async def test_breaks() -> None:
    async for number in numbers():
        if number == 2:
            break


def test_breaks_in_run() -> None:
    asyncio.run(test_breaks())
