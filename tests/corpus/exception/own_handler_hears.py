# expect: clean
# why: a handler of the user's own hears of everything
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from typing import Any


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def stumble() -> None:
    raise ValueError("boom")


async def test_hears() -> None:
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    loop.call_soon(stumble)
    asyncio.create_task(boom())
    await turns()
    assert len(heard) == 2


async def test_neighbour() -> None:
    await turns()
