# expect: TL101 test_drains what=drain born=here cause=task-done-missing finality=stuck
# waits: *Queue*join*
# edge: task 'drainer' -> asyncio.Queue* [waits for]
# why: the item was taken, and task_done() forgotten
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def drain(jobs: asyncio.Queue[int]) -> None:
    await jobs.join()


async def test_drains() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    jobs.put_nowait(1)
    TASKS.append(asyncio.create_task(drain(jobs), name="drainer"))  # born:here
    assert await jobs.get() == 1
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
