"""What may come alive, though nothing alive refers to it strongly?

Weak references lead to what they refer to, their callbacks run when that dies, and finalizers of the user may
do anything.
"""

from __future__ import annotations

import asyncio
import gc
import types
import weakref
from collections.abc import Iterable
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.explain.reach import Region
from pytest_taskleak.safely import class_dict, is_a, module_name, mro_of

HARMLESS = frozenset({
    "builtins", "asyncio", "_asyncio", "io", "_io", "_pyio", "socket", "tempfile", "subprocess", "selectors",
    "anyio.streams.memory",
})  # fmt: skip
"""Modules, with those below them, whose finalizers complete nothing that a task could wait for."""

WEAK = (weakref.ref, weakref.ProxyType, weakref.CallableProxyType)
"""Types of weak references, each of which may have a callback."""


def weak_seeds(region: Region, marked: set[int], stops: set[int]) -> list[Any]:
    """Return what a weak reference leads to that is not itself among what nobody reaches."""
    found = []
    known: set[int] | None = None
    for thing in region.things:
        key = id(thing)
        if key in marked or key in stops or not weakref.getweakrefcount(thing):
            continue
        for reference in weakref.getweakrefs(thing):
            if id(reference) in region.members and id(reference) not in marked:
                continue
            if type(reference).__module__.startswith("pytest_taskleak."):
                continue
            if known is None:
                known = registered(x for x in region.things if is_a(x, asyncio.Task))
            if id(reference) not in known:
                found.append(thing)
                break
    return found


def registered(tasks: Iterable[Any]) -> set[int]:
    """Return the ids of the weak references by which loops know their async generators."""
    loops = {id(loop): loop for loop in map(asyncio_.loop_of, tasks)}
    return {id(reference) for loop in loops.values() for reference in asyncio_.asyncgen_references(loop)}


def finalizer_seeds(region: Region, marked: set[int], stops: set[int]) -> list[Any]:
    """Return what has a finalizer that may do anything once nobody refers to it."""
    harmful: dict[int, bool] = {}
    found = []
    for thing in region.things:
        kind = type(thing)
        if id(kind) not in harmful:
            harmful[id(kind)] = has_finalizer(kind)
        if harmful[id(kind)] and id(thing) not in marked and id(thing) not in stops:
            found.append(thing)
    return found


def callback_seeds(
    region: Region, marked: set[int], _callback: Any = weakref.ref.__dict__["__callback__"]
) -> list[Any]:
    """Return the weak references that call something as soon as what they refer to dies.

    Who holds the reference need not run for that: a task that watches a thing of others is woken when
    those drop it.  What `WeakSet` and its kin are called for only removes an entry.
    """
    found = []
    for thing in region.things:
        if id(thing) in marked or not is_a(thing, WEAK):
            continue
        if not is_a(thing, weakref.ref):  # a proxy tells nothing of itself, but what it holds is its callback
            calls = bool(gc.get_referents(thing))
        else:
            callback = _callback.__get__(thing)
            calls = callback is not None and not (
                is_a(callback, types.FunctionType) and callback.__module__ in ("weakref", "_weakrefset")
            )
        if calls:
            found.append(thing)
    return found


def has_finalizer(kind: type) -> bool:
    """Tell whether a class has a `__del__` that is not known to be harmless."""
    for base in mro_of(kind):
        if "__del__" in class_dict(base):
            module = module_name(base)
            return module not in HARMLESS and module.partition(".")[0] not in HARMLESS
    return False
