"""How many are there of all that may grow with each life of a service?"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_taskleak.storm import oracles

if TYPE_CHECKING:
    from pytest_taskleak.storm.run import Run

ENDED = "ended tasks that are kept"
LETTERS = {
    "tasks": "T",
    ENDED: "S",
    "timers": "t",
    "calls in pools": "H",
    "open resources": "R",
    "locks and permits": "K",
}
"""What is counted -> the oracle that its growth belongs to; that of objects belongs to S."""
FOREIGN = (
    *(
        "_",
        "abc",
        "asyncio",
        "builtins",
        "collections",
        "contextlib",
        "functools",
        "pytest_taskleak",
        "types",
    ),
    "weakref",
)
"""Modules whose types say nothing about the service: their growth is in the report, and fails nothing."""


def tasks_alive(run: Run) -> int:
    """Return how many tasks of the service live."""
    return sum(
        not task.done() and task not in run.harness and not oracles.is_clients(run, number, task)
        for number, task in enumerate(run.loop.tasks)
    )


def things(run: Run, held: int) -> Counter[str]:
    """Count what a service should give back.

    Parameters:
        run: its resources are those that are open.
        held: locks and semaphores that are not given back.
    """
    timers = [
        timer
        for timer in run.loop.armed()
        if not oracles.is_own(getattr(timer, "_callback", None))
        and timer.birth is not None
        and timer.birth[0] not in run.client_codes()
    ]
    return Counter(
        {
            "tasks": tasks_alive(run),
            "timers": len(timers),
            "calls in pools": len(run.loop.calls),
            "open resources": len(run.env.resources),
            "locks and permits": held,
        }
    )


def objects(loop: Any) -> Counter[str]:
    """Count all objects by type, and the tasks of a loop that have ended and that somebody keeps."""
    gc.collect()
    found = gc.get_objects()
    counts = Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in map(type, found))
    ended = (it for it in found if issubclass(type(it), asyncio.Task) and it.done())
    counts[ENDED] = sum(task.get_loop() is loop for task in ended)
    return counts
