"""What in the record of a task, and in the code that made it, tells why it was left?"""

from __future__ import annotations

import asyncio
import collections
import functools
import inspect
from collections.abc import Iterable, Iterator
from types import CodeType, CoroutineType, FunctionType, MethodType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.awaiting import frames_of, in_asyncio
from pytest_taskleak.adapt.code import USER, kind_of
from pytest_taskleak.adapt.handlers import in_handler
from pytest_taskleak.adapt.ways import repeats
from pytest_taskleak.safely import attribute, class_dict, class_value, is_a

CLOSERS = ("aclose", "stop", "close", "shutdown", "disconnect", "cancel", "terminate", "wait_closed")
"""Names of methods that end what an object has started, the most telling first."""
CLOSED = ("closed", "_closed", "closing", "_closing", "stopped", "_stopped", "_stopping", "is_closed")
"""Names of attributes by which an object says that it was closed."""


def in_loop(task: Any, code: CodeType | None) -> bool:
    """Tell whether a task waits inside of a loop of some code that it runs."""
    frame = next((frame for frame in frames_of(task) if frame.f_code is code), None)
    return frame is not None and frame.f_lasti >= 0 and repeats(frame.f_code, frame.f_lasti)


def begun(task: Any) -> bool:
    """Tell whether a task has run its first step."""
    coro = asyncio_.coro_of(task)
    return not is_a(coro, CoroutineType) or inspect.getcoroutinestate(coro) != inspect.CORO_CREATED


def cancellations(task: Any) -> int:
    """Return how often the code under test has cancelled a task that still goes on."""
    count = getattr(task, "cancelling", None)
    return int(count()) if count is not None else 0


def cleans_up(task: Any) -> bool:
    """Tell whether a task is in an `except`, `finally` or `with` that handles an exception."""
    return any(in_handler(frame.f_code, frame.f_lasti) for frame in frames_of(task))


def gathers(task: Any) -> Iterator[Any]:
    """Yield the futures of `asyncio.gather()` that a task was given to."""
    for callback, *_ in getattr(task, "_callbacks", None) or ():
        code = getattr(callback, "__code__", None)
        if code is None or not in_asyncio(code) or "gather" not in code.co_qualname:
            continue
        for name, cell in zip(code.co_freevars, callback.__closure__ or (), strict=False):
            if name == "outer" and is_a(cell.cell_contents, asyncio.Future):
                yield cell.cell_contents


def group_of(task: Any) -> Any:
    """Return the TaskGroup that a task belongs to, or `None`."""
    for callback, *_ in getattr(task, "_callbacks", None) or ():
        owner = callback.__self__ if is_a(callback, MethodType) else None
        if is_a(owner, asyncio.TaskGroup):
            return owner
    return None


def has_block(group: Any) -> bool:
    """Tell whether a TaskGroup was entered, so that there is a task whose end is its children's."""
    return attribute(group, "_entered") is not False


def holds_items(queue: Any) -> bool:
    """Tell whether something is in a queue of asyncio, without asking it."""
    items = attribute(queue, "_queue")
    return is_a(items, (collections.deque, list)) and bool(type(items).__len__(items))


def lost_race(task: Any, birth: Iterable[Any]) -> str:
    """Return the name of what has a winner already, for a task that was among the others; else nothing.

    Parameters:
        task: what is left.
        birth: the code objects of the lines that made it, the nearest first.
    """
    if any(outer.done() for outer in gathers(task)):
        return "asyncio.gather()"
    for code in birth:
        if not {"FIRST_COMPLETED", "FIRST_EXCEPTION"}.isdisjoint(code.co_names):
            return "asyncio.wait()"
        if "as_completed" in code.co_names:
            return "asyncio.as_completed()"
    return ""


def failed_beside(task: Any) -> bool:
    """Tell whether a task that was gathered with this one has ended with an exception."""
    children = [child for outer in gathers(task) for child in getattr(outer, "_children", None) or ()]
    return any(has_failed(child) for child in children)


def has_failed(task: Any) -> bool:
    """Tell whether a task has ended with an exception; to look does not count as asking for it."""
    return task.done() and not task.cancelled() and getattr(task, "_exception", None) is not None


def closer_of(thing: Any) -> tuple[str, bool]:
    """Return (name, whether it must be awaited) of the method that ends what an object started."""
    for name in CLOSERS:
        found = class_value(type(thing), name)
        if is_a(found, FunctionType):
            flags = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE
            return name, bool(found.__code__.co_flags & flags)
    return "", False


def is_users(thing: Any) -> bool:
    """Tell whether the class of an object is the project's own, by the file of one of its methods."""
    methods = [x for x in class_dict(type(thing)).values() if is_a(x, FunctionType)]
    return any(kind_of(method.__code__.co_filename) == USER for method in methods)


def is_closed(thing: Any) -> bool:
    """Tell whether an object says of itself that it was closed; only plain attributes are asked."""
    return any(attribute(thing, name) is True for name in CLOSED)


def rearms(callback: Any) -> bool:
    """Tell whether the code of a timer's callback schedules timers itself."""
    while is_a(callback, functools.partial):
        callback = callback.func
    function = callback.__func__ if is_a(callback, MethodType) else callback
    code = function.__code__ if is_a(function, FunctionType) else None
    return code is not None and not {"call_later", "call_at"}.isdisjoint(code.co_names)
