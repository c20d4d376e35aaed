# expect: clean
# why: the consumer gets its sentinel, and all jobs are done
# runner: sync asyncio.run
import asyncio


async def consume(jobs: asyncio.Queue[int | None], results: list[int]) -> None:
    while (job := await jobs.get()) is not None:
        results.append(job)
        jobs.task_done()
    jobs.task_done()


async def main() -> list[int]:
    jobs: asyncio.Queue[int | None] = asyncio.Queue(maxsize=1)
    results: list[int] = []
    consumer = asyncio.create_task(consume(jobs, results))
    for job in (1, 2, None):
        await jobs.put(job)
    await jobs.join()
    await consumer
    return results


def test_sentinel() -> None:
    assert asyncio.run(main()) == [1, 2]
