"""Who makes an event loop, what does it hold, and is it the one that `get_event_loop` gives?"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
from asyncio import events
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt.code import FILES, HARNESS, USER, kind_of
from pytest_taskleak.safely import attribute, is_a

MOST_STEPS = 40


def _implicit() -> CodeType | None:
    """Return the code of the policy's `get_event_loop`, which makes the main thread's loop before 3.14."""
    for name in ("BaseDefaultEventLoopPolicy", "_BaseDefaultEventLoopPolicy"):
        policy = getattr(events, name, None)
        if policy is not None:
            return getattr(policy.get_event_loop, "__code__", None)
    return None


IMPLICIT = _implicit()


def maker(frame: FrameType | None) -> FrameType | None:
    """Return the code that asked for a loop, past uvloop's own functions, which have no lines of interest."""
    while frame is not None and frame.f_globals.get("__name__") == "uvloop":
        frame = frame.f_back
    return frame


def nobodys(frame: FrameType | None) -> bool:
    """Tell whether a loop made here is a test runner's, or the one that the process has by itself.

    Parameters:
        frame: the code that called the loop's constructor.
    """
    files = FILES
    for _ in range(MOST_STEPS):
        if frame is None:
            return False
        code = frame.f_code
        name = code.co_filename
        kind = files[name] if name in files else kind_of(name)
        if kind == HARNESS or code is IMPLICIT:
            return True
        if kind == USER:
            return False
        frame = frame.f_back
    return False


def default_executor(loop: Any) -> Any:
    """Return the executor that a loop made for itself or was given, if it has one."""
    executor = getattr(loop, "_default_executor", None)
    if executor is None and not is_a(loop, asyncio.BaseEventLoop):
        executor = next((x for x in gc.get_referents(loop) if is_a(x, concurrent.futures.Executor)), None)
    return executor


def is_current(loop: Any) -> bool:
    """Tell whether `asyncio.get_event_loop()` would return this loop to the calling thread."""
    policy = getattr(events, "_event_loop_policy", None)
    local = attribute(policy, "_local") if policy is not None else None
    return getattr(local, "_loop", None) is loop
