# expect: clean
# why: each of these asks for the exception, as asyncio itself counts it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_await() -> None:
    task = asyncio.create_task(boom())
    with pytest.raises(ValueError, match="boom"):
        await task


async def test_exception() -> None:
    task = asyncio.create_task(boom())
    await turns()
    assert isinstance(task.exception(), ValueError)


async def test_gather() -> None:
    with pytest.raises(ValueError, match="boom"):
        await asyncio.gather(asyncio.create_task(boom()), boom())


async def test_done_callback() -> None:
    seen: list[BaseException | None] = []
    task = asyncio.create_task(boom())
    task.add_done_callback(lambda done: seen.append(done.exception()))
    await turns()
    assert len(seen) == 1


async def test_task_group() -> None:
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(boom())
            group.create_task(boom())


async def test_wait_and_result() -> None:
    done, _ = await asyncio.wait([asyncio.create_task(boom())])
    with pytest.raises(ValueError, match="boom"):
        done.pop().result()


async def test_wait_for() -> None:
    with pytest.raises(ValueError, match="boom"):
        await asyncio.wait_for(boom(), 1)


async def test_shield_then_await() -> None:
    gate = asyncio.Event()

    async def late() -> None:
        await gate.wait()
        raise ValueError("late")

    task = asyncio.create_task(late())
    outer = asyncio.shield(task)
    await asyncio.sleep(0)
    outer.cancel()
    gate.set()
    with pytest.raises(ValueError, match="late"):
        await task
