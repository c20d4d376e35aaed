# expect: TL101 test_closes what=close born=here cause=never-drained finality=stuck
# waits: *Queue*join*
# why: the consumer has ended, and an item is still in the queue
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def consume(jobs: asyncio.Queue[int]) -> None:
    await jobs.get()
    jobs.task_done()


async def close(jobs: asyncio.Queue[int]) -> None:
    await jobs.join()


async def test_closes() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    for number in range(2):
        jobs.put_nowait(number)
    await asyncio.create_task(consume(jobs))
    TASKS.append(asyncio.create_task(close(jobs), name="closer"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
