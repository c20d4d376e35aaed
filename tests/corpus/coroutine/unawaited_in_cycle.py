# expect: clean
# why: nobody can tell who made what the collector finds later; it is told in the summary, no test is blamed
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import gc
from typing import Any


async def work() -> None:
    await asyncio.sleep(0)


async def test_forgets() -> None:
    circle: list[Any] = [work()]
    circle.append(circle)


async def test_second() -> None:
    await work()


def test_collects() -> None:
    gc.collect()


async def test_last() -> None:
    await work()
