"""Where does a task stand, in words that outlive unrelated edits and other versions of Python?"""

from __future__ import annotations

import functools
import re
from types import FrameType
from typing import Any

from pytest_taskleak.adapt.code import LIBRARY, PACKAGE, USER, kind_of, line_of
from pytest_taskleak.adapt.links import frames_of
from pytest_taskleak.adapt.task_steps import task_name

UNSTARTED = "not started"
ENDED = "ended"
HARNESS = "running"
"""Where a task of the harness stands that runs no other code."""
INLINED = ("<listcomp>", "<setcomp>", "<dictcomp>")
"""Code that has a frame of its own up to 3.11 only."""
WRAPPED = re.compile(r"\.<locals>|<(?=\w+>)|(?<=\w)>")
UNSAFE = re.compile(r"[^\w.+:=/,-]+")
EDGES = re.compile(rf"^{UNSAFE.pattern}|{UNSAFE.pattern}$")


def place_of(task: Any) -> str:
    """Return where a task stands: the innermost code of the user, as `qualname+lines below its first`.

    Of a task that runs none it is what it runs, without lines: they are others in each version of Python.
    """
    if task.done():
        return ENDED
    frames = frames_of(task)
    if not frames:
        return UNSTARTED
    for wanted in (USER, LIBRARY):
        for frame in reversed(frames):
            code = frame.f_code
            if kind_of(code.co_filename) == wanted and code.co_name not in INLINED:
                return named(frame)
    others = [frame for frame in frames if not frame.f_code.co_filename.startswith(PACKAGE)]
    return others[0].f_code.co_qualname if others else HARNESS


def worded(label: str) -> str:
    """Return a label as one word that a shell takes as it is.

    `GET /users/{id}@Shop.get.<locals>.ask+3` is `GET_/users/_id@Shop.get.ask+3`.  Labels that are the same
    then are one label.
    """
    parts = (EDGES.sub("", WRAPPED.sub("", part)) for part in label.split("@"))
    return "@".join(UNSAFE.sub("_", part) for part in parts)


def named(frame: FrameType) -> str:
    """Return a frame's place."""
    code = frame.f_code
    return f"{code.co_qualname}+{(frame.f_lineno or code.co_firstlineno) - code.co_firstlineno}"


def line_at(birth: Any) -> str:
    """Return `path:line` and the function of a place of birth; empty where there is none."""
    if birth is None:
        return ""
    code, lasti = birth
    return f"{code.co_filename}:{line_of(code, lasti)} in {code.co_qualname}"


def told(task: Any) -> str:
    """Return a task and where it stands, for people."""
    found = frames_of(task)
    frames = [frame for frame in found if not frame.f_code.co_filename.startswith(PACKAGE)]
    chain = " -> ".join(f"{frame.f_code.co_qualname}{line_in(frame)}" for frame in frames)
    return f"{name_of(task)!r} at {chain or ('the harness' if found else UNSTARTED)}"


def line_in(frame: FrameType) -> str:
    """Return the line of a frame; none for the standard library, where it is another one in each version."""
    known = kind_of(frame.f_code.co_filename) in (USER, LIBRARY)
    return f":{frame.f_lineno}" if known else "()"


def name_of(task: Any) -> str:
    """Return what a task is called: what its maker says, else what it runs, as numbers are never the same."""
    name: str = task.get_name()
    return task_name(task) if name.startswith("Task-") else name


def call_name(function: Any) -> str:
    """Return the name of what a pool calls; `to_thread` hands it on by `Context.run`."""
    while isinstance(function, functools.partial):
        inner = function.func
        function = function.args[0] if getattr(inner, "__name__", "") == "run" and function.args else inner
    return str(getattr(function, "__qualname__", type(function).__qualname__))
