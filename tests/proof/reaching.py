"""What can code do with a thing that it has?  Everything: `touch` walks on and completes whatever it finds.

This is how a program is run on after the verdict.  The walk goes through all that references, weak ones too,
but stops where the claim stops: at tasks (one can only cancel them), frames, loops, modules, the harness's own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import ctypes
import enum
import functools
import gc
import sys
import threading
import types
import weakref
from collections.abc import Iterable
from typing import Any

from holders import FIRE, FOREVER

_STOPS = (
    asyncio.Task, asyncio.AbstractEventLoop, types.FrameType, types.TracebackType, types.CodeType, str, bytes, int,
    type(None),
)  # fmt: skip
_PROXIES = (weakref.ProxyType, weakref.CallableProxyType)
_ROUNDS = 9
"""Permits given to a semaphore, items to a queue: more than a program has tasks."""


class Phase:
    """What the world that runs at the moment may do.

    Attributes:
        serial: the number of the world.
        running_on: the verdict was given: whoever reaches something uses it.
        ran: the tasks that ran on, by their number.
        own: the ids of the harness's containers.
        delay: seconds until timers are due.
    """

    serial = 0
    running_on = False
    ran: set[int] = set()  # noqa: RUF012 - one world at a time
    own: set[int] = set()  # noqa: RUF012
    delay = 0.0


@functools.cache
def _namespaces(count: int) -> frozenset[int]:
    return frozenset(id(getattr(module, "__dict__", None)) for module in [*sys.modules.values()])


def _next(thing: Any) -> Iterable[Any]:
    """Return what one gets from a thing."""
    kind = type(thing)
    if issubclass(kind, weakref.ref):
        target = thing()
        return (*gc.get_referents(thing), target) if target is not None else gc.get_referents(thing)
    if issubclass(kind, _PROXIES):
        try:
            return (thing.__repr__.__self__,)
        except (ReferenceError, AttributeError):  # dead, or a class
            return ()
    if kind is ctypes.py_object:
        return (thing.value,)
    if issubclass(kind, ctypes.Array):
        return tuple(thing)
    if issubclass(kind, ctypes._CFuncPtr):  # type: ignore[attr-defined]
        thing()
        return ()
    if kind is threading.local:
        return tuple(vars(thing).values())
    if issubclass(kind, type) and not issubclass(kind, enum.EnumType) and "__fuzz__" not in vars(thing):
        return ()
    if kind is types.ModuleType and not thing.__name__.startswith("taskleak_fuzz"):
        return ()
    return gc.get_referents(thing)


def reachable(thing: Any) -> list[Any]:
    """Return everything that code which has `thing` can get at."""
    seen: dict[int, Any] = {}
    todo = [thing]
    namespaces = _namespaces(len(sys.modules))
    while todo:
        one = todo.pop()
        if id(one) in seen or id(one) in Phase.own or id(one) in namespaces or one is FOREVER:
            continue
        if issubclass(type(one), _STOPS):
            continue
        seen[id(one)] = one
        if not complete(one):
            todo += _next(one)
    return list(seen.values())


def touch(thing: Any) -> None:
    """Complete everything that code which has `thing` can get at."""
    reachable(thing)


def complete(thing: Any) -> bool:
    """Complete a primitive; tell whether its inside need not be walked."""
    kind = type(thing)
    if issubclass(kind, asyncio.Future):
        if not thing.done():
            thing.set_result(None)
        return False
    if issubclass(kind, concurrent.futures.Future):
        if not thing.done():
            thing.set_result(None)
        return False
    if issubclass(kind, asyncio.Event):
        thing.set()
    elif issubclass(kind, asyncio.Queue):
        return _flow(thing)
    elif issubclass(kind, asyncio.Lock):
        if thing.locked():
            thing.release()
    elif issubclass(kind, asyncio.Condition):
        for waiter in thing._waiters:
            if not waiter.done():
                waiter.set_result(False)
        complete(thing._lock)
    elif issubclass(kind, asyncio.Semaphore):
        with contextlib.suppress(ValueError):
            for _ in range(_ROUNDS):
                thing.release()
    elif issubclass(kind, asyncio.Barrier):
        _abort(thing)
    else:
        return False
    return True


def _flow(queue: asyncio.Queue[Any]) -> bool:
    """Let a queue's putters, getters and joiners go on; what it holds is walked on."""
    inside: Any = queue
    while inside._unfinished_tasks:
        queue.task_done()
    held = []
    with contextlib.suppress(asyncio.QueueEmpty):
        while inside._putters or (queue.full() and not inside._getters):
            held.append(queue.get_nowait())
    inside._maxsize = 0  # as good as taking out one item for each that waits to put one in
    for waiter in inside._putters:
        if not waiter.done():
            waiter.set_result(None)
    if inside._getters:
        for _ in range(_ROUNDS):
            queue.put_nowait(None)
    for one in held:
        touch(one)
    return not queue.qsize()


def _abort(barrier: asyncio.Barrier) -> None:
    """Break a barrier: all of its waiters go on."""
    abort = barrier.abort()
    with contextlib.suppress(StopIteration):
        abort.send(None)
        abort.close()


def act(serial: int, thing: Any) -> None:
    """Do what `fire` does: touch, if the thing's world is the one that runs on."""
    if serial == Phase.serial and Phase.running_on:
        touch(thing)


FIRE[:] = [act]
