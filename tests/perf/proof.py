"""What does a proof cost, on heaps of different sizes?

``python tests/perf/proof.py`` prints, for heaps of so many objects, the median time of a proof for ten tasks that
are stuck, and beside it one `gc.collect()` of the same heap in the same run.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Callable, Coroutine

from pytest_taskleak.explain.proof import prove

HEAPS = (16_000, 100_000, 1_000_000)
TASKS = 10
RUNS = 200


async def on_event() -> None:
    await asyncio.Event().wait()


async def on_queue() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    while True:
        await queue.get()


async def on_future() -> None:
    await asyncio.get_running_loop().create_future()


async def in_order(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass


def stuck(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
    """Return ten tasks that nothing can wake."""
    one, two = asyncio.Lock(), asyncio.Lock()
    works: list[Coroutine[None, None, None]] = [in_order(one, two), in_order(two, one)]
    works += [
        on_event(),
        on_queue(),
        on_future(),
        on_event(),
        on_queue(),
        on_future(),
        on_event(),
        on_queue(),
    ]
    tasks = [loop.create_task(work) for work in works[:TASKS]]
    for _ in range(4):
        loop.call_soon(loop.stop)
        loop.run_forever()
    return tasks


def timed(call: Callable[[], object], runs: int) -> float:
    """Return the median time of a call in milliseconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main() -> None:
    print(f"Python {sys.version.split()[0]}: a proof for {TASKS} stuck tasks, median of {RUNS}")
    print(f"{'heap':>10}  {'proof':>10}  {'gc.collect()':>13}")
    loop = asyncio.new_event_loop()
    heap: list[object] = []
    for size in HEAPS:
        while len(heap) < size:
            heap.append([heap[-1] if heap else None])
        tasks = stuck(loop)
        found = prove(tasks)
        assert [found[id(task)].verdict for task in tasks] == ["stuck"] * TASKS
        proof = timed(lambda tasks=tasks: prove(tasks), RUNS)  # type: ignore[misc]  # an argument by default is bound at once
        collect = timed(gc.collect, 3)
        print(f"{size:>10,}  {proof:>7.2f} ms  {collect:>10.1f} ms")
        for task in tasks:
            task.cancel()
        for _ in range(4):
            loop.call_soon(loop.stop)
            loop.run_forever()
    loop.close()
    while heap:  # from the end: a chain of a million objects must not be freed by recursion
        heap.pop()


if __name__ == "__main__":
    main()
