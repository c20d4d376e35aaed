"""How is the await chain of a suspended task told, from its outermost coroutine down to the primitive?"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

from pytest_taskleak.adapt import asyncio_, waits
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.adapt.code import ASYNCIO, LIBRARY, USER, kind_of, module_of
from pytest_taskleak.adapt.links import MOST_LINKS, frames_of, links, pending
from pytest_taskleak.model import Frame, Role
from pytest_taskleak.safely import is_a

__all__ = (
    "MOST_LINKS",
    "awaited",
    "chain",
    "coroutine_name",
    "frame_at",
    "frames_of",
    "in_asyncio",
    "is_method",
    "links",
    "seconds_left",
    "self_of",
)

MOST_TASKS = 5
UNNAMED = frozenset({"task", "shield", "executor", "group", "thread"})
"""Kinds whose text says enough."""
CODES = ((CoroutineType, "cr_code"), (AsyncGeneratorType, "ag_code"), (GeneratorType, "gi_code"))
ROLES: dict[int, Role] = {USER: "project", LIBRARY: "library"}


def frame_at(code: CodeType, line: int) -> Frame:
    """Return the plain value of a code object and a line; the path is the file's own."""
    role = ROLES.get(kind_of(code.co_filename), "machinery")
    return Frame(path=code.co_filename, line=line, qualname=code.co_qualname, role=role)


def coroutine_name(task: Task) -> tuple[str, str]:
    """Return (module, qualified name) of the coroutine that a task runs."""
    coro: Any = asyncio_.coro_of(task)
    for kind, code_name in CODES:
        if is_a(coro, kind):
            code = getattr(coro, code_name)
            return module_of(code), code.co_qualname
    inner = next((x for x in gc.get_referents(coro) if is_a(x, AsyncGeneratorType)), None)
    if inner is not None:
        return module_of(inner.ag_code), inner.ag_code.co_qualname
    return str(type(coro).__module__), str(getattr(coro, "__qualname__", type(coro).__qualname__))


def self_of(task: Task) -> Iterable[Any]:
    """Return the object whose method the task runs, if its coroutine is a method."""
    coro: Any = asyncio_.coro_of(task)
    if not is_a(coro, CoroutineType) or coro.cr_frame is None:
        return ()
    code = coro.cr_code
    if not code.co_argcount:
        return ()
    owner = coro.cr_frame.f_locals.get(code.co_varnames[0])
    return (owner,) if is_method(owner, code) else ()


def is_method(owner: Any, code: CodeType) -> bool:
    """Tell whether a code object is defined in the class of `owner`."""
    found = inspect.getattr_static(type(owner), code.co_name, None)
    found = getattr(found, "__wrapped__", found)
    return getattr(found, "__code__", None) is code


def seconds_left(task: Task) -> float:
    """Return the seconds before which a sleeping task cannot wake, 0 where that is not known."""
    frames = frames_of(task)
    if not frames or frames[-1].f_code is not asyncio.sleep.__code__:
        return 0.0
    loop = asyncio_.loop_of(task)
    if loop.is_closed():
        return float("inf")
    timers = asyncio_.scheduled(loop)
    return max(0.0, timers[0].when() - loop.time()) if timers else 0.0


def awaited(task: Task) -> Iterator[Any]:
    """Yield the tasks and executor futures that a task waits for."""
    try:
        yield from waits.found_of(task).on
    except Exception:  # noqa: BLE001 -- an odd object: what it waits for is not known
        return


def in_asyncio(code: CodeType) -> bool:
    """Tell whether a code object is asyncio's own."""
    return code.co_filename.startswith(ASYNCIO)


def chain(task: Task) -> tuple[tuple[Frame, ...], str]:
    """Return the await chain through awaited tasks, and the primitive at its end."""
    found: list[Frame] = []
    callers: list[Task] = []
    for _ in range(MOST_TASKS):
        found += map(suspended_at, frames_of(task))
        wait = waits.wait_of(task, callers)
        inner = [t for t in wait.on if is_a(t, asyncio.Task) and pending(t)]
        if len(inner) != 1 or inner[0] is task or wait.kind == "process":
            return tuple(found), told(wait)
        if any(inner[0] is each for each in callers):
            break  # a circle
        callers.insert(0, task)
        task = inner[0]
    else:
        return tuple(found), f"task {task.get_name()!r}"
    return tuple(found), f"task {inner[0].get_name()!r}"


def suspended_at(frame: FrameType) -> Frame:
    """Return the plain value of a suspended frame; anyio's own frames are told by what they wait for."""
    plain = frame_at(frame.f_code, frame.f_lineno)
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return replace(plain, role="machinery") if package == "anyio" else plain


def told(wait: waits.Wait) -> str:
    """Return what is waited for and how the code calls it: "asyncio.Queue.get() of `self.queue`"."""
    if not wait.name or wait.kind in UNNAMED:
        return wait.what
    joint = " " if wait.kind == "future" else " of "
    return f"{wait.what}{joint}`{wait.name}`"
