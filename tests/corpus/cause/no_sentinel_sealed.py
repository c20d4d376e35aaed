# expect: TL102 test_jobs what=consume born=here cause=no-sentinel finality=stuck
# waits: *PriorityQueue*get*
# kept: nobody
# why: neither the queue nor the consumer is known to anybody
# runner: sync asyncio.run
import asyncio
import gc

gc.disable()  # the collector would destroy the consumer before its runner closes


async def consume(jobs: asyncio.PriorityQueue[int], results: list[int]) -> None:
    while True:
        results.append(await jobs.get())


async def main() -> list[int]:
    jobs: asyncio.PriorityQueue[int] = asyncio.PriorityQueue()
    results: list[int] = []
    asyncio.create_task(consume(jobs, results), name="consumer")  # born:here
    for job in (2, 1):
        jobs.put_nowait(job)
    await asyncio.sleep(0)
    return results


def test_jobs() -> None:
    assert asyncio.run(main()) == [1, 2]
