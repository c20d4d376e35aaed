# expect: TL701 test_loses what=boom
# why: no line of its birth was seen, but the context of the task names its maker
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import gc
from typing import Any

KEPT: list[Any] = []


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_loses() -> None:
    task = asyncio.Task(boom(), loop=asyncio.get_running_loop())
    KEPT.append([task, KEPT])
    del task
    await turns()


async def test_second() -> None:
    await turns()


def test_collects() -> None:
    KEPT.clear()
    gc.collect()
