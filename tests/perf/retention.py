"""What does it cost to say who holds a task?  `python tests/perf/retention.py [--objects N] [--json FILE]`.

A heap of a million objects is made, most of it in a module of the project itself, which is the worst place:
the search passes by it.  Each row leaks tasks that are held in one way, alone and ten at a time; the median and
the maximum of milliseconds per task are printed, never asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import types
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from overhead import where

from pytest_taskleak.explain.retention import Budget, kept_by

ROUNDS = 15
MANY = 10
OBJECTS_EACH = 4
"""Objects that the garbage collector sees for each entry of the ballast."""


class Entry:
    """Part of the ballast."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.items = [number, self]
        self.names = {"number": self.items}
        self.pair = (self.items, self.names)


class Poller:
    """Keeps its task."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task


class Registry:
    """Keeps pollers in its class."""

    known: dict[str, Poller] = {}  # noqa: RUF012 -- that is the point


Tasks = list[asyncio.Task[None]]
Hold = Callable[[types.ModuleType, Tasks, asyncio.AbstractEventLoop], list[tuple[str, Any]]]


async def forever(*kept: Any) -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


def nobody(module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Any]]:
    return []


def pool(module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Any]]:
    vars(module)["POOL"] = {f"p{number}": Poller(task) for number, task in enumerate(tasks)}
    return []


def of_class(
    module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop
) -> list[tuple[str, Any]]:
    Registry.known.update({f"p{number}": Poller(task) for number, task in enumerate(tasks)})
    vars(module)["Registry"] = Registry
    return []


def fixture(module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Any]]:
    return [("fixture 'broker' (session)", [Poller(task) for task in tasks])]


def live_task(
    module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop
) -> list[tuple[str, Any]]:
    vars(module)["kept_alive"] = loop.create_task(forever([Poller(task) for task in tasks]))
    loop.run_until_complete(asyncio.sleep(0))
    del vars(module)["kept_alive"]
    return []


def closure(module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Any]]:
    held = [Poller(task) for task in tasks]
    vars(module)["handler"] = lambda: held
    return []


def library(module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Any]]:
    vars(sys.modules["ballast_library"])["cache"] = [Poller(task) for task in tasks]
    return []


def crowd(module: types.ModuleType, tasks: Tasks, loop: asyncio.AbstractEventLoop) -> list[tuple[str, Any]]:
    others = [Entry(number) for number in range(10_000)]
    vars(sys.modules["ballast_library"])["cache"] = [*others, *(Poller(task) for task in tasks)]
    return []


ROWS: tuple[tuple[str, Hold], ...] = (
    ("nobody: an abandoned create_task()", nobody),
    ("an object in a dict of a module of the project", pool),
    ("a class attribute", of_class),
    ("the value of a fixture", fixture),
    ("a local of a live task", live_task),
    ("a closure of a callback", closure),
    ("a module of a library", library),
    ("a list of 10,000 in a library, found backwards", crowd),
)


def ballast(objects: int) -> types.ModuleType:
    """Return a module of the project that holds so many objects, in lists of some hundred."""
    module = types.ModuleType("ballast_project")
    module.__file__ = str(Path(__file__).with_name("ballast_project.py"))
    entries = objects // OBJECTS_EACH
    vars(module)["HEAP"] = [[Entry(n + 500 * k) for n in range(500)] for k in range(entries // 500)]
    sys.modules["ballast_project"] = module
    library = types.ModuleType("ballast_library")
    library.__file__ = str(Path(sys.prefix) / "lib" / "site-packages" / "ballast_library.py")
    library.__spec__ = module.__spec__
    sys.modules["ballast_library"] = library
    return module


def measure(module: types.ModuleType, hold: Hold, count: int) -> tuple[list[float], str]:
    """Return milliseconds per task of each round, and the first answer."""
    times, answer = [], ""
    for _ in range(ROUNDS):
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(forever()) for _ in range(count)]
        loop.run_until_complete(asyncio.sleep(0))
        roots = hold(module, tasks, loop)
        began = perf_counter()
        found = kept_by(
            tasks,
            roots=roots,
            modules=["ballast_project"],
            skip=[tasks, roots],
            budget=Budget(60.0),
            short=lambda code, line: f"{Path(code.co_filename).name}:{line}",
        )
        times.append((perf_counter() - began) * 1000 / count)
        answer = "; ".join(found[0]) or "nobody"
        tidy(module, loop)
    return times, answer


def tidy(module: types.ModuleType, loop: asyncio.AbstractEventLoop) -> None:
    """Take away what a round has left."""
    for name in ("POOL", "Registry", "handler"):
        vars(module).pop(name, None)
    Registry.known.clear()
    vars(sys.modules["ballast_library"]).pop("cache", None)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="the cost of naming holders")
    parser.add_argument("--objects", type=int, default=1_000_000, metavar="N", help="size of the heap")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON too")
    arguments = parser.parse_args()
    gc.disable()
    module = ballast(arguments.objects)
    print(f"Measured on {where()}; a heap of {len(gc.get_objects()):,} objects.\n")
    print("| held by | 1 task: median, ms | maximum | 10 tasks: median of each, ms | maximum | told as |")
    print("|---|---|---|---|---|---|")
    rows, every = [], {1: list[float](), MANY: list[float]()}
    for what, hold in ROWS:
        alone, answer = measure(module, hold, 1)
        many, _ = measure(module, hold, MANY)
        every[1] += alone
        every[MANY] += many
        row = [statistics.median(alone), max(alone), statistics.median(many), max(many)]
        print(f"| {what} | {' | '.join(f'{x:.2f}' for x in row)} | `{answer}` |", flush=True)
        rows.append({"what": what, "alone": row[:2], "many": row[2:], "told": answer})
    total = [statistics.median(every[1]), max(every[1]), statistics.median(every[MANY]), max(every[MANY])]
    print(f"| all rows | {' | '.join(f'{x:.2f}' for x in total)} | |")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
