# expect: TL701 test_loses what=boom born=here
# why: the task is part of a circle; whoever runs the collector three tests later is innocent
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import gc
from typing import Any


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_loses() -> None:
    circle: list[Any] = [asyncio.create_task(boom())]  # born:here
    circle.append(circle)
    await turns()


async def test_second() -> None:
    await turns()


def test_third() -> None:
    pass


def test_collects() -> None:
    gc.collect()
