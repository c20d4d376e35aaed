"""Which references to a leaked thing are the watcher's or its own, and is there any other?

The interpreter counts all references, those of running code and of C included.  If those that are
known make up the count, then nobody else holds the thing, and the heap need not be searched.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import BuiltinMethodType, MethodType
from typing import Any

from pytest_taskleak.adapt.asyncio_ import coro_of, waiter_of
from pytest_taskleak.adapt.links import frames_of
from pytest_taskleak.explain.anatomy import LINKS, SUSPENDED, awaited_by, bare_name, exactly
from pytest_taskleak.safely import is_a, module_name

MOST_LINKS = 60
MOST_RECORDS = 2_000
MOST_RECORD_STEPS = 5
MOST_NESTED = 2
"""How deep the lists of a record are its own: its dict, and a list in that.  Deeper is what the user made."""
PLAIN = (list, tuple, dict, set)
MOST_STEPS = 3
WAKEUPS = ("TaskWakeup", "TaskStepMethWrapper", "TaskWakeupMethWrapper")
"""C types by which a future wakes the task that waits for it."""
HELPERS = ("asyncio", "anyio")
"""Libraries whose objects in a task's own frames (`Timeout`, `CancelScope`) refer back to the task."""


def awaits(thing: Any) -> Any:
    """Return the future that a task waits for; `None` for anything else."""
    return waiter_of(thing) if is_a(thing, asyncio.Task) else None


def own_chain(thing: Any) -> list[Any]:
    """Return the coroutines and links in which a task is suspended; nothing for anything else."""
    found: list[Any] = []
    inner: Any = coro_of(thing) if is_a(thing, asyncio.Task) else None
    while inner is not None and not is_a(inner, asyncio.Future) and len(found) < MOST_LINKS:
        found.append(inner)
        if is_a(inner, SUSPENDED):
            inner = awaited_by(inner)
        elif bare_name(type(inner)) in LINKS:
            inner = next((x for x in gc.get_referents(inner) if is_a(x, (*SUSPENDED, asyncio.Future))), None)
        else:
            break
    return found


def own_records(containers: Iterable[Any], but: set[int]) -> list[Any]:
    """Return the watcher's own containers: those given, the records of this package in them, and their lists.

    Parameters:
        containers: what the caller says is its own.
        but: ids of what is the user's although records hold it: the values of fixtures.
    """
    found: dict[int, Any] = {}
    level = [(container, 0 if is_record(container) else MOST_NESTED) for container in containers]
    for _ in range(MOST_RECORD_STEPS):
        found.update((id(container), container) for container, _ in level)
        following = []
        for container, nested in level:
            for x in gc.get_referents(container):
                if id(x) in found or id(x) in but:
                    continue
                if is_record(x):
                    following.append((x, 0))
                elif exactly(x, PLAIN) and nested < MOST_NESTED:
                    following.append((x, nested + 1))
        level = following[:MOST_RECORDS]
    return list(found.values())


def is_record(thing: Any) -> bool:
    """Tell whether a thing is an object of this package."""
    return not is_a(thing, type) and module_name(type(thing)).startswith("pytest_taskleak.")


def own_parts(targets: Iterable[Any]) -> list[list[Any]]:
    """Return for each target the objects of its own that refer back to it."""
    return [list(parts_of(target)) for target in targets]


def parts_of(target: Any) -> Iterator[Any]:
    """Yield the coroutines of a task, their helpers, and what wakes it up."""
    chain = own_chain(target)
    yield from chain
    for helper in gc.get_referents(*chain) if chain else ():
        if is_helper(helper):
            yield helper
            yield from (x for x in gc.get_referents(helper) if type(x) is dict)
    level = [] if (waiter := awaits(target)) is None else [waiter]
    yield from level
    for _ in range(MOST_STEPS):
        level = [x for x in gc.get_referents(*level) if is_wakeup(x)]
        yield from level


def is_helper(thing: Any) -> bool:
    """Tell whether a thing is one by which asyncio or anyio manages the task that it is used in."""
    root = module_name(type(thing)).partition(".")[0]
    return root in HELPERS and not is_a(thing, (type, asyncio.Future, asyncio.AbstractEventLoop))


def is_wakeup(thing: Any) -> bool:
    """Tell whether a thing lies between a future and the task that waits for it."""
    if exactly(thing, (list, tuple, set, MethodType, BuiltinMethodType)):
        return True
    return bare_name(type(thing)) in WAKEUPS


def others(targets: Sequence[Any], records: Sequence[Any], parts: Sequence[Sequence[Any]]) -> list[int]:
    """Return how many references there are to each target beside those that are known.

    Zero proves that nobody else holds it.  A variable of the caller that holds a target makes one more,
    which only costs a search.

    Parameters:
        targets: what is left.
        records: containers of the watcher, that of the targets included.
        parts: for each target the objects of its own.
    """
    listed = list(targets)
    counts = list(map(sys.getrefcount, listed))
    [alone] = map(sys.getrefcount, [object()])  # what the call itself adds
    shared: dict[int, int] = {}
    for referent in gc.get_referents(*records):
        shared[id(referent)] = shared.get(id(referent), 0) + 1
    found = []
    for count, mark, mine in zip(counts, map(id, listed), parts, strict=True):
        unique = {id(part): part for part in mine}
        known = sum(id(x) == mark for x in gc.get_referents(*unique.values()))
        found.append(count - alone - known - shared.get(mark, 0))
    return found


def tells_itself(chain: str, task: Any) -> bool:
    """Tell whether the names that lead to what a task waits for are only those of the wait itself.

    Parameters:
        chain: the names, as they are told.
        task: the task.
    """
    first, _, rest = chain.partition(" -> ")
    if (rest or first).rpartition(" -> ")[2].startswith("local 'self' of "):
        return True  # a method of the primitive: somebody waits for it, too
    return any(f" of {frame.f_code.co_qualname} (" in first for frame in frames_of(task))


def is_entry(chain: str, kind: str) -> bool:
    """Tell whether a chain says only that the loop has what is left, as it must."""
    return chain.startswith(f"a {kind} of the event loop") and (kind == "timer" or " -> " not in chain)
