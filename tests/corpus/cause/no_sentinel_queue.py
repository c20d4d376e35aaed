# expect: TL101 test_jobs what=consume born=here cause=no-sentinel finality=stuck
# waits: *Queue*get*
# edge: task 'consumer' -> asyncio.Queue* [waits for]
# no-cycle:
# kept: *TASKS*
# why: all jobs are done, the queue is gone with the test, and the consumer waits for one more
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: set[asyncio.Task[None]] = set()


async def consume(jobs: asyncio.Queue[int], results: list[int]) -> None:
    while True:
        results.append(await jobs.get())
        jobs.task_done()


async def test_jobs() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    results: list[int] = []
    TASKS.add(asyncio.create_task(consume(jobs, results), name="consumer"))  # born:here
    for job in range(3):
        await jobs.put(job)
    await jobs.join()
    assert results == [0, 1, 2]


async def test_neighbour() -> None:
    await asyncio.sleep(0)
