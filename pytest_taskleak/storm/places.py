"""Where does a task stand, in words that outlive unrelated edits and other versions of Python?"""

from __future__ import annotations

from types import FrameType
from typing import Any

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of, line_of
from pytest_taskleak.adapt.links import frames_of

UNSTARTED = "not started"
ENDED = "ended"


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
    return named(frames[-1])


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
    frames = frames_of(task)
    chain = " -> ".join(f"{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in frames)
    return f"{task.get_name()!r} at {chain or UNSTARTED}"
