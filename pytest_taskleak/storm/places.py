"""Where does a task stand, in words that outlive unrelated edits and other versions of Python?"""

from __future__ import annotations

from types import FrameType
from typing import Any

from pytest_taskleak.adapt.code import LIBRARY, PACKAGE, USER, kind_of, line_of
from pytest_taskleak.adapt.links import frames_of
from pytest_taskleak.adapt.task_steps import task_name

UNSTARTED = "not started"
ENDED = "ended"
HARNESS = "running"
"""Where a task of the harness stands that runs no other code."""


def place_of(task: Any) -> str:
    """Return where a task stands: the innermost code of the user, as `qualname+lines below its first`."""
    if task.done():
        return ENDED
    frames = frames_of(task)
    if not frames:
        return UNSTARTED
    for wanted in (USER, LIBRARY):
        for frame in reversed(frames):
            if kind_of(frame.f_code.co_filename) == wanted:
                return named(frame)
    others = [frame for frame in frames if not frame.f_code.co_filename.startswith(PACKAGE)]
    return named(others[-1]) if others else HARNESS


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
