# expect: TL101 test_leaves what=consume born=here
# why: a generator that a pending task iterates is part of that task
# runner: pytest-asyncio module
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")
TASKS: list[asyncio.Task[None]] = []


async def outer() -> AsyncIterator[int]:
    async for number in inner():
        yield number


async def inner() -> AsyncIterator[int]:
    yield 1
    await asyncio.sleep(3600)


async def consume() -> None:
    generator = outer()
    async for _ in generator:
        pass


async def test_leaves() -> None:
    TASKS.append(asyncio.create_task(consume()))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
