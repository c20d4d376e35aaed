"""What will the armed timers of a loop do: which tasks do they cancel, what do they complete?"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from typing import Any

from pytest_taskleak.adapt import asyncio_, waits
from pytest_taskleak.explain.reach import OPAQUE, is_namespace
from pytest_taskleak.safely import is_a

MOST = 400
"""How many objects of one timer are looked at."""


def cancelled(tasks: Sequence[Any]) -> set[int]:
    """Return the ids of the tasks that an armed timer cancels, or cancels along with who waits for them."""
    loops = {id(loop): loop for loop in map(asyncio_.loop_of, tasks)}
    by_timer: set[int] = set().union(*map(reached, loops.values()))
    spread = [t for t in tasks if id(t) in by_timer or waits.armed_until(t) is not None]
    found = set(map(id, spread))
    while spread:
        for child in passed_on(spread.pop()):
            if id(child) not in found:
                found.add(id(child))
                spread.append(child)
    return found


def passed_on(task: Any) -> list[Any]:
    """Return the tasks to which a cancellation is passed on: those that a task waits for, unshielded."""
    wait = waits.wait_of(task)
    if wait.kind == "shield" or "shield()" in wait.inside:
        return []
    return [child for child in wait.on if is_a(child, asyncio.Task) and not child.done()]


def reached(loop: Any) -> set[int]:
    """Return the ids of the tasks, futures and other objects that armed timers of a loop lead to.

    The search stops at tasks and futures: a timer that has one can cancel or complete it.
    """
    found: set[int] = set()
    for handle in asyncio_.scheduled(loop) if not loop.is_closed() else ():
        callback, args = asyncio_.handle_parts(handle)
        level = [callback, *args]
        seen: set[int] = set()
        while level and len(seen) < MOST:
            fresh = [x for x in level if id(x) not in seen]
            seen |= set(map(id, fresh))
            inner = [
                x
                for x in fresh
                if not is_a(x, (asyncio.Future, *OPAQUE)) and not (type(x) is dict and is_namespace(x))
            ]
            level = [x for x in gc.get_referents(*inner) if gc.is_tracked(x)]
        found |= seen
    return found
