# expect: clean
# why: TaskGroup, gather, timeout, wait_for and as_completed that end everything they began
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def quick(value: int = 0) -> int:
    await asyncio.sleep(0)
    return value


async def broken() -> None:
    raise RuntimeError("broken")


async def test_group() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(quick(value)) for value in range(3)]
    assert sum(task.result() for task in tasks) == 3


async def test_group_that_fails() -> None:
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
            group.create_task(broken())


async def test_gather() -> None:
    assert sum(await asyncio.gather(quick(1), quick(2))) == 3


async def test_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(3600)


async def test_wait_for() -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.sleep(3600), 0.001)
    assert await asyncio.wait_for(quick(3), 3600) == 3


async def test_as_completed() -> None:
    assert sorted([await one for one in asyncio.as_completed([quick(1), quick(2)])]) == [1, 2]
