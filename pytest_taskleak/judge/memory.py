"""Is a thing kept by the program, or only remembered by the test harness?

pytest keeps log records, and with them tracebacks and frames, until it has made its reports.  What
only they hold is on its way out.  The search goes backwards through `gc.get_referrers`, which
compares pointers and runs no code; it is bounded, and in doubt a thing is kept.
"""

from __future__ import annotations

import gc
import logging
from types import FrameType, FunctionType, MethodType, ModuleType, TracebackType
from typing import Any

from pytest_taskleak.safely import is_a

MOST_STEPS = 10
MOST_NODES = 3_000
MOST_AT_ONCE = 12
FORGETFUL = (FrameType, TracebackType, logging.LogRecord, BaseException)
LOGGING = ("_pytest.logging", "_pytest.capture")


def only_remembered(thing: Any, own: tuple[Any, ...] = ()) -> bool:
    """Tell whether nothing but log records, tracebacks and dead frames leads to a thing.

    Parameters:
        thing: what is left.
        own: objects of the watcher that hold it just now.
    """
    seen = {id(thing), *map(id, own)}
    level: list[Any] = [thing]
    for _ in range(MOST_STEPS):
        following: list[Any] = []
        seen |= {id(level), id(following)}
        while level:
            some, level = tuple(level[:MOST_AT_ONCE]), level[MOST_AT_ONCE:]
            seen |= {id(some), id(level)}
            for referrer in gc.get_referrers(*some):
                if id(referrer) in seen or passes_by(referrer):
                    continue
                if is_root(referrer):
                    return False
                seen.add(id(referrer))
                following.append(referrer)
        if len(seen) > MOST_NODES:
            return False
        if not following:
            return True
        level = following
    return False


def passes_by(referrer: Any) -> bool:
    """Tell whether a referrer forgets what it holds by itself."""
    kind = type(referrer)
    if is_a(referrer, FORGETFUL) or kind.__module__ in LOGGING:
        return True
    return kind.__module__.startswith("pytest_taskleak.")


def is_root(referrer: Any) -> bool:
    """Tell whether a referrer lives as long as the process, or as the harness wants."""
    if is_a(referrer, ModuleType | type | FunctionType | MethodType):
        return True
    if is_a(referrer, dict):
        return "__name__" in referrer and "__loader__" in referrer
    return type(referrer).__module__.split(".")[0] in ("_pytest", "unittest")
