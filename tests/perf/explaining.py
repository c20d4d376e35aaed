"""What does it cost to explain what is reported?  `python tests/perf/explaining.py [--json FILE]`.

On heaps of so many objects tasks are left in different ways, one and ten at a time, each born on a line of its own,
and diagnosed as a report would: proofs, wait-for graph, holders, who keeps them, cause and cure.  The median and the
maximum of milliseconds per cause are printed, never asserted; the target is 5 ms per cause in the median on a heap
of a million objects.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import types
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import perf_counter
from typing import Any

from overhead import where

from pytest_taskleak.adapt import asyncio_, cancelling
from pytest_taskleak.detectors import built_in
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.diagnosing import diagnose
from pytest_taskleak.engine.explaining import explain
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.explain.retention import Budget
from pytest_taskleak.judge.policy import Policy

HEAPS = (16_000, 1_000_000)
COUNTS = (1, 10)
ROUNDS = 15
OBJECTS_EACH = 4
"""Objects that the garbage collector sees for each entry of the ballast."""
NAMED: dict[str, Any] = {}
"""What the project itself holds."""
Leave = Callable[[int], list[Coroutine[Any, Any, None]]]


class Entry:
    """Part of the ballast."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.items = [number, self]
        self.names = {"number": self.items}
        self.pair = (self.items, self.names)


class Poller:
    """Keeps its task, and has a method that ends it."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(3600)

    async def stop(self) -> None:
        """End the task."""


async def on_event(event: asyncio.Event) -> None:
    await event.wait()


async def on_queue(queue: asyncio.Queue[int]) -> None:
    while True:
        await queue.get()


async def in_order(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass


async def feeding(queue: asyncio.Queue[int], lock: asyncio.Lock) -> None:
    async with lock:
        pass
    await queue.put(1)


async def consuming(queue: asyncio.Queue[int], lock: asyncio.Lock) -> None:
    async with lock:
        await queue.get()


def events(count: int) -> list[Coroutine[Any, Any, None]]:
    return [on_event(asyncio.Event()) for _ in range(count)]


def known_events(count: int) -> list[Coroutine[Any, Any, None]]:
    NAMED["events"] = [asyncio.Event() for _ in range(count)]
    return [on_event(event) for event in NAMED["events"]]


def queues(count: int) -> list[Coroutine[Any, Any, None]]:
    return [on_queue(asyncio.Queue()) for _ in range(count)]


def ring_of_locks(count: int) -> list[Coroutine[Any, Any, None]]:
    locks = [asyncio.Lock() for _ in range(count)]
    return [in_order(locks[n], locks[(n + 1) % count]) for n in range(count)]


def locks_and_queues(count: int) -> list[Coroutine[Any, Any, None]]:
    queue: asyncio.Queue[int] = asyncio.Queue()
    lock = asyncio.Lock()
    return [(feeding if n else consuming)(queue, lock) for n in range(count)]


def pollers(count: int) -> list[Coroutine[Any, Any, None]]:
    NAMED["pollers"] = {f"p{n}": Poller() for n in range(count)}
    return [poller.run() for poller in NAMED["pollers"].values()]


ROWS: tuple[tuple[str, Leave, bool], ...] = (
    ("an event that nobody has", events, False),
    ("an event in a module", known_events, False),
    ("the same, and garbage is collected first", known_events, True),
    ("a queue that nobody feeds", queues, False),
    ("a ring of locks", ring_of_locks, False),
    ("a queue under a lock", locks_and_queues, False),
    ("pollers that sleep", pollers, False),
)
"""What is left, and whether the collector runs: a session allows itself that for so many seconds in all."""


def ballast(objects: int) -> types.ModuleType:
    """Return a module of the project that holds so many objects, in lists of some hundred."""
    module = types.ModuleType("ballast_project")
    module.__file__ = str(Path(__file__).with_name("ballast_project.py"))
    vars(module)["HEAP"] = [
        [Entry(n + 500 * k) for n in range(500)] for k in range(objects // OBJECTS_EACH // 500)
    ]
    vars(module)["NAMED"] = NAMED
    sys.modules["ballast_project"] = module
    return module


def start(coroutines: list[Coroutine[Any, Any, None]]) -> None:
    """Start tasks, each on a line of its own, and keep them."""
    lines = "\n".join(f"keep.append(create(coroutines[{n}]))" for n in range(len(coroutines)))
    code = compile(lines, str(Path(__file__).with_name("ballast_project.py")), "exec")
    keep = NAMED.setdefault("tasks", [])
    names = {"coroutines": coroutines, "create": asyncio.get_running_loop().create_task, "keep": keep}
    exec(code, names)  # noqa: S102 -- lines as a suite would have them


def once(leave: Leave, count: int, *, collects: bool) -> tuple[float, str]:
    """Leave so many tasks, diagnose them, and end them; return milliseconds per cause, and the answer."""
    watch = Watch(built_in(), Policy(detect=frozenset({"task"})))
    watch.searching = Budget(60.0)
    watch.collecting = 60.0 if collects else 0.0
    scope = Scope("block", "benchmark", watch=watch, parent=watch.session)
    begin(watch)
    watch.enter(scope)
    loop = asyncio.new_event_loop()

    async def program() -> None:
        start(leave(count))

    try:
        loop.run_until_complete(program())
        asyncio_.turn(loop, 8)
        pairs = explain(watch.live(scope, watch.policy), scope, "")
        began = perf_counter()
        found, _ = diagnose(pairs, watch)
        taken = (perf_counter() - began) * 1000 / len(found)
        told = next(iter(found.values())).diagnosis
        answer = f"{told.finality}, {told.cause}, kept by {len(told.kept)}" if told else "nothing"
        assert len(found) == len(pairs), "each is told for itself"
    finally:
        watch.stop()
        NAMED.clear()
        asked: set[int] = set()
        for task in asyncio_.tasks_of(loop):
            cancelling.cancel(task, asked)
        asyncio_.turn(loop, 8 + count)
        loop.close()
    return taken, answer


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="the cost of a diagnosis")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON too")
    arguments = parser.parse_args()
    print(f"Measured on {where()}; milliseconds per cause.\n")
    print("| heap | left | tasks | median | maximum | told |")
    print("|---:|---|---:|---:|---:|---|")
    rows = []
    for size in HEAPS:
        module = ballast(size)
        gc.collect()
        every: list[float] = []
        for what, leave, collects in ROWS:
            for count in COUNTS:
                once(leave, count, collects=collects)  # code is read once for all
                results = [once(leave, count, collects=collects) for _ in range(ROUNDS)]
                times = [time for time, _ in results]
                every += times
                row = statistics.median(times), max(times)
                print(
                    f"| {size:,} | {what} | {count} | {row[0]:.2f} | {row[1]:.2f} | {results[0][1]} |",
                    flush=True,
                )
                rows.append({"heap": size, "left": what, "tasks": count, "median": row[0], "max": row[1]})
        print(f"| {size:,} | all rows | | {statistics.median(every):.2f} | {max(every):.2f} | |", flush=True)
        del module, sys.modules["ballast_project"]
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
