"""Is a thing a lock or a semaphore, what lock is behind it, and how many holders must it have?

Subclasses of the user count; classes that only look like a lock do not.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_taskleak.adapt.code import names_of
from pytest_taskleak.safely import attribute, is_a

THREADS = (type(threading.Lock()), type(threading.RLock()), threading.Semaphore, threading.Condition)
ASYNCIO = (asyncio.Lock, asyncio.Semaphore, asyncio.Condition)
ANYIO = "anyio._core._synchronization"
OTHERS = {
    ANYIO: ("Lock", "Semaphore", "CapacityLimiter", "Condition"),
    "trio._sync": ("Lock", "StrictFIFOLock", "Semaphore", "CapacityLimiter", "Condition"),
    "multiprocessing.synchronize": ("SemLock", "Condition"),
    "threading": ("_RLock",),
}
"""Module -> classes that are locks; only what the program has imported is asked."""
BEHIND = ("_internal_lock", "_internal_semaphore", "_internal_limiter", "_lock")
"""Attributes by which an adapter of anyio or a condition knows the lock behind it."""
MOST_BEHIND = 4


def loaded(classes: Mapping[str, Iterable[str]]) -> tuple[type, ...]:
    """Return classes by module and name, as far as the program has imported them."""
    found = [
        names_of(sys.modules[module]).get(name)
        for module, names in classes.items()
        if module in sys.modules
        for name in names
    ]
    return tuple(kind for kind in found if is_a(kind, type))


def is_lockish(thing: Any) -> bool:
    """Tell whether a thing is a lock, a semaphore, a capacity limiter or a condition with its lock.

    Those of asyncio, anyio, trio, threads and processes are known, and classes made from them.
    """
    return is_a(thing, ASYNCIO) or is_a(thing, THREADS) or is_a(thing, loaded(OTHERS))


def core_of(thing: Any) -> Any:
    """Return the lock behind a condition or behind an adapter of anyio, else the thing itself."""
    for _ in range(MOST_BEHIND):
        if not is_a(thing, (asyncio.Condition, threading.Condition)) and not is_a(thing, loaded(OTHERS)):
            break
        behind = next((x for name in BEHIND if (x := attribute(thing, name)) is not None), None)
        if behind is None or not is_lockish(behind):
            break
        thing = behind
    return thing


def is_free(lock: Any) -> bool:
    """Tell whether nobody holds a lock; of what is no plain lock it is not known."""
    return is_a(lock, asyncio.Lock) and attribute(lock, "_locked") is False


def permits_taken(lock: Any) -> int | None:
    """Return how many permits of a lock are taken, `None` where its state does not tell.

    A plain semaphore forgets with how many permits it began.  One with an upper bound may have begun with
    fewer, so that the number is then too high, never too low.
    """
    if is_a(lock, asyncio.Lock):
        return int(attribute(lock, "_locked") is True)
    bound, value = attribute(lock, "_bound_value"), attribute(lock, "_value")
    if is_a(lock, loaded({ANYIO: ("Semaphore",)})):
        bound = attribute(lock, "_max_value")
    if type(bound) is int and type(value) is int:
        return bound - value
    return int(lock.locked()) if type(lock) is THREADS[0] else None


def permits_left(lock: Any) -> int:
    """Return how many may still take a lock or semaphore of asyncio; 0 where that is not known."""
    if is_a(lock, asyncio.Lock):
        return int(attribute(lock, "_locked") is False)
    value = attribute(lock, "_value")
    return value if type(value) is int else 0


def owners_of(lock: Any) -> list[Any] | None:
    """Return the tasks that a lock of anyio names as its owners, `None` for any other lock.

    Things that are no tasks are among them where somebody has borrowed on behalf of one.
    """
    if not is_a(lock, loaded({ANYIO: ("Lock", "CapacityLimiter")})):
        return None
    borrowers = attribute(lock, "_borrowers")
    if type(borrowers) is set:
        return list(borrowers)
    if type(lock).__module__ != "anyio._backends._asyncio":
        return None
    owner = attribute(lock, "_owner_task")
    return [] if owner is None else [owner]
