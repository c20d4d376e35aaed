"""Does a leftover belong to something that lives longer than the one who made it?

A pool that a session fixture keeps is filled by whichever test comes first: what can be reached from
a live wider fixture's value is that fixture's.  And a library that starts one helper for the whole
process, on first use, keeps it in a module or class of its own: that is the session's.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterable
from contextvars import Context
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    ModuleType,
)
from typing import Any

from pytest_taskleak.safely import is_a

MOST_OBJECTS = 20_000
MOST_DEPTH = 12
STOP = (
    ModuleType,
    type,
    Context,
    FrameType,
    CodeType,
    BuiltinFunctionType,
    asyncio.AbstractEventLoop,
    asyncio.Future,
    str,
    bytes,
    int,
    float,
)
HARNESS = ("_pytest", "pluggy", "pytest_asyncio", "pytest_taskleak")


def reaches(root: Any, targets: Iterable[Any]) -> bool:
    """Tell whether one of `targets` can be reached from a fixture's value.

    Futures, loops, contexts, modules and classes are not passed through: what merely waits for the
    fixture is not kept by it.
    """
    wanted = {id(target) for target in targets}
    seen = {id(root)}
    level = [root]
    for _ in range(MOST_DEPTH):
        following: list[Any] = []
        for thing in level:
            if id(thing) in wanted:
                return True
            if is_a(thing, STOP) or type(thing).__module__.split(".")[0] in HARNESS:
                continue
            for referent in referents(thing):
                if id(referent) not in seen:
                    seen.add(id(referent))
                    following.append(referent)
        level = following
        if not level or len(seen) > MOST_OBJECTS:
            return False
    return False


def referents(thing: Any) -> list[Any]:
    """Return what an object keeps; of a function only its closure and defaults."""
    if is_a(thing, FunctionType):
        return [thing.__closure__, thing.__defaults__, thing.__kwdefaults__]
    return gc.get_referents(thing)


def kept_by_module(targets: Iterable[Any], modules: Iterable[str]) -> bool:
    """Tell whether a module, or a class in it, keeps one of `targets` as its single one.

    Only attributes are followed (module -> class or object -> attribute), never containers: a list
    of helpers is no singleton.
    """
    wanted = {id(target) for target in targets}
    for name in modules:
        module = sys.modules.get(name)
        for value in list(vars(module).values()) if module is not None else ():
            if id(value) in wanted:
                return True
            inner = own_attributes(value)
            if any(id(x) in wanted for x in inner):
                return True
    return False


def own_attributes(value: Any) -> list[Any]:
    """Return the attribute values of an object or class, without running any of its code."""
    if type(value).__name__ == "_lru_cache_wrapper":
        return cached_values(value)
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    if is_a(value, ModuleType) or not (is_a(found, dict) or is_a(value, type)):
        return []
    return list(found.values())


def cached_values(function: Any) -> list[Any]:
    """Return what a function under `functools.cache` or `lru_cache` remembers."""
    found = gc.get_referents(function)  # the results themselves, or links that hold them
    found += [value for cache in found if is_a(cache, dict) for value in cache.values()]
    return found + [x for link in found for x in gc.get_referents(link) if not is_a(link, STOP)]
