# expect: clean
# why: closed, run by a task, wrapped in one that was cancelled before it began, or awaited later
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio

KEPT: list[asyncio.Task[None]] = []


async def work() -> None:
    await asyncio.sleep(0)


async def test_closes() -> None:
    work().close()


async def test_task() -> None:
    await asyncio.create_task(work())


async def test_cancelled_before_it_began() -> None:
    task = asyncio.create_task(work())
    task.cancel()
    await asyncio.sleep(0)
    assert task.cancelled()


async def test_timeout_of_nothing() -> None:
    try:
        await asyncio.wait_for(work(), 0)
    except TimeoutError:
        pass


async def test_awaited_late() -> None:
    jobs = [work(), work()]
    for job in jobs:
        await job
