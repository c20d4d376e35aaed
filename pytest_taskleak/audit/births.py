"""On which lines of the user's code was something made, as the stack tells?

Only what the user's own call makes counts: not what `asyncio.gather` or a library makes in the course of its
work.  Frames are kept as code objects and instruction offsets, so that lines are worked out for reports only.
"""

from __future__ import annotations

import asyncio
import dis
import itertools
import os
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.code import FILES, LIBRARY, PACKAGE, SKIP, USER, kind_of, line_of
from pytest_taskleak.adapt.links import locals_of

MOST_USER = 4
COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
"""They have frames of their own until 3.11; from 3.12 on they are a part of the function around them."""
NOISE = frozenset({"CACHE", "NOP", "EXTENDED_ARG", "NOT_TAKEN"})
MOST_STEPS = 40
Frames = tuple[tuple[CodeType, int], ...]
"""The user's frames, the nearest first."""

OUR_GROUPS = (os.path.join(PACKAGE, "groups") + os.sep, os.path.join(PACKAGE, "adapt", "task_groups.py"))
CALL_LATER = asyncio.BaseEventLoop.call_later.__code__
ANYIO = f"{os.sep}anyio{os.sep}"
GROUPS = ("TaskGroup.start_soon", "TaskGroup.start", "TaskGroup.create_task")
IN_GROUP = "TaskGroup.create_task"
OF_GROUPS = frozenset({"create_task", "spawn", "gather", "schedule", "create_task_threadsafe"})


def creators() -> dict[CodeType, str]:
    """Return the functions of asyncio that make a task of what the user gives them."""
    found: dict[CodeType, str] = {asyncio_.ENSURE_FUTURE: "asyncio.ensure_future"}
    for function, name in (
        (asyncio.create_task, "asyncio.create_task"),
        (asyncio.ensure_future, "asyncio.ensure_future"),
        (asyncio.TaskGroup.create_task, IN_GROUP),
    ):
        code = getattr(function, "__code__", None)
        if code is not None:
            found[code] = name
    return found


CREATORS = creators()


def frames_from(frame: FrameType | None) -> Frames:
    """Return the user's frames from one on."""
    found: list[tuple[CodeType, int]] = []
    steps = MOST_STEPS
    while frame is not None and steps and len(found) < MOST_USER:
        code = frame.f_code
        kind = kind_at(code)
        if kind == USER:
            if found and found[-1][0].co_name in COMPREHENSIONS:
                inner, offset = found[-1]
                found[-1] = (inlined(inner, code), offset)
            else:
                found.append((code, frame.f_lasti))
        elif kind != SKIP:
            break
        frame = frame.f_back
        steps -= 1
    return tuple(found)


@lru_cache(maxsize=256)
def inlined(inner: CodeType, outer: CodeType) -> CodeType:
    """Return the code of a comprehension as if it were a part of the function around it."""
    return inner.replace(co_name=outer.co_name, co_qualname=outer.co_qualname)


def kind_at(code: CodeType) -> int:
    """Return the kind of the file that a code object is from."""
    name = code.co_filename
    kind = FILES.get(name)
    return kind_of(name) if kind is None else kind


def of_task(frame: FrameType | None) -> tuple[str, Frames] | None:
    """Return what was called to make a task, and on which lines; `None` if the user did not call it.

    Parameters:
        frame: what has called the loop's `create_task`.
    """
    outermost: CodeType | None = None
    call, library = "", False
    while frame is not None:
        code = frame.f_code
        kind = kind_at(code)
        if kind == USER:
            break
        if kind == LIBRARY:
            if ANYIO not in code.co_filename:
                return None
            library, call = True, code.co_qualname if code.co_qualname in GROUPS else ""
        elif kind != SKIP:
            return None
        elif code.co_filename.startswith(OUR_GROUPS):
            call = f"TaskGroup.{code.co_name if code.co_name in OF_GROUPS else 'spawn'}"
        elif not code.co_filename.startswith(PACKAGE):
            outermost = code
        frame = frame.f_back
    if frame is None:
        return None
    if not call and not library:
        call = "loop.create_task" if outermost is None else CREATORS.get(outermost, "")
    return (call, frames_from(frame)) if call else None


def of_timer(frame: FrameType | None) -> tuple[str, Frames] | None:
    """Return the same for a timer.

    Parameters:
        frame: what has called the loop's `call_at` or `call_later`.
    """
    call = "loop.call_at"
    while frame is not None:
        code = frame.f_code
        if code is CALL_LATER:
            call = "loop.call_later"
        elif code.co_filename.startswith(OUR_GROUPS):
            call = "TaskGroup.schedule"
        elif not code.co_filename.startswith(PACKAGE):
            break
        frame = frame.f_back
    if frame is None or kind_at(frame.f_code) != USER:
        return None
    return call, frames_from(frame)


def of_thread(thread: Any, frame: FrameType | None) -> Frames:
    """Return on which lines of the user a thread object is made; nothing if the user did not make it.

    Parameters:
        thread: the object.
        frame: what has called `Thread.__init__`, perhaps the `__init__` of a subclass.
    """
    while frame is not None:
        code = frame.f_code
        own = code.co_filename.startswith(PACKAGE)
        if not own and not (code.co_name == "__init__" and makes(frame, thread)):
            break
        frame = frame.f_back
    if frame is None or kind_at(frame.f_code) != USER:
        return ()
    return frames_from(frame)


def makes(frame: FrameType, thing: Any) -> bool:
    """Tell whether a frame is that of a thing's own method."""
    code = frame.f_code
    return bool(code.co_argcount) and locals_of(frame).get(code.co_varnames[0]) is thing


def taken_down(frame: FrameType | None) -> bool:
    """Tell whether what ends just now is ended by a runner that closes, or by this plugin."""
    while frame is not None:
        code = frame.f_code
        if code is CANCEL_ALL or code is asyncio_.CLOSE_RUNNER:
            return True
        if code.co_filename.startswith(ENGINE) and code.co_filename != PATCHES:
            return True
        frame = frame.f_back
    return False


CANCEL_ALL = getattr(getattr(asyncio.runners, "_cancel_all_tasks", None), "__code__", None)
ENGINE = os.path.join(PACKAGE, "engine") + os.sep
PATCHES = os.path.join(PACKAGE, "engine", "patch.py")
"""Stands below whatever a runner runs, while there is a watch."""


def target_of(code: CodeType, lasti: int) -> tuple[str, str] | None:
    """Return (variable, attribute) that the result of a call is bound to, as in `self.task = ...`.

    Read off the bytecode: a file is not opened in the middle of somebody's test.
    """
    steps = (step for step in dis.get_instructions(code) if step.offset > lasti and step.opname not in NOISE)
    load, store = next(steps, None), next(steps, None)
    if load is None or store is None or store.opname != "STORE_ATTR":
        return None
    plain = load.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and type(load.argval) is str
    return (load.argval, str(store.argval)) if plain else None


def position(code: CodeType, lasti: int) -> tuple[int, int, int]:
    """Return (line, end line, end column) of an instruction; the end is 0 where it was not compiled in."""
    found = next(itertools.islice(code.co_positions(), lasti // 2, None), (None, None, None, None))
    line, end_line, _, end_column = found
    if end_line is None or end_column is None:
        return line or line_of(code, lasti), 0, 0
    return line or line_of(code, lasti), end_line, end_column
