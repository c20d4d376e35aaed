"""What does a tracked task cost on top of `asyncio.TaskGroup`?  `python tests/perf/groups.py`.

Both groups run 10,000 tasks in turn, in one process; the least of many rounds counts, because whatever else the
machine does can only add.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable

from pytest_taskleak import TrackedTaskGroup

TASKS = 10_000
ALLOWED = 1.0
"""Microseconds that a tracked task may cost more."""
Make = Callable[[], asyncio.TaskGroup]


async def child() -> None:
    """Do nothing."""


async def timed(make: Make) -> float:
    """Return the seconds that the tasks of one group take."""
    began = time.perf_counter()
    async with make() as group:
        create_task = group.create_task
        for _ in range(TASKS):
            create_task(child())
    return time.perf_counter() - began


async def timed_named(make: Make) -> float:
    """Return the seconds that they take when each has a name."""
    began = time.perf_counter()
    async with make() as group:
        create_task = group.create_task
        for _ in range(TASKS):
            create_task(child(), name="child")
    return time.perf_counter() - began


async def held(make: Make) -> float:
    """Return the bytes that a living task takes."""
    tracemalloc.start()
    async with make() as group:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(TASKS):
            group.create_task(child())
        after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / TASKS


def run(main: Callable[[Make], Awaitable[float]], make: Make) -> float:
    """Run one round in a loop of its own."""
    gc.collect()
    with asyncio.Runner() as runner:
        return runner.run(main(make))  # type: ignore[arg-type]


def main() -> int:
    """Print the cost of a task, and the memory that it takes."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    makes: tuple[Make, Make] = (asyncio.TaskGroup, TrackedTaskGroup)
    ways = {"without a name": timed, "with a name": timed_named}
    best = {(way, make): float("inf") for way in ways for make in makes}
    for _ in range(rounds):
        for (way, make), known in best.items():
            best[way, make] = min(known, run(ways[way], make))
    memory = [run(held, make) for make in makes]
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {TASKS:,} tasks, best of {rounds}"
    )
    print(f"  bytes while it lives: {memory[0]:,.0f}, tracked {memory[1]:,.0f}")
    missed = False
    for way in ways:
        plain, ours = (best[way, make] / TASKS * 1e6 for make in makes)
        missed |= ours - plain > ALLOWED
        more = f"{ours - plain:.2f} us more (allowed {ALLOWED:.2f})"
        print(f"  {way:<15}{plain:5.2f} us a task, tracked {ours:5.2f}: {more}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
