"""Did the running code make what it drops just now, or does it take it from where another has put it?

What is dropped where it was made (a call without `await`, a local variable) is charged to the running
code.  What is taken out of a container, a module or an object may have been put there by an earlier
test, and pytest itself only puts away what others have made.
"""

from __future__ import annotations

import asyncio
import dis
import os
import re
from contextvars import Context
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt.asyncio_ import context_of
from pytest_taskleak.adapt.code import HARNESS, PACKAGE, SKIP, kind_of

REPLACING = re.compile(r"(STORE|DELETE)_(ATTR|GLOBAL|NAME|SUBSCR|SLICE)")
"""Instructions that drop what was in an object, a module or a container before."""
TAKING = re.compile(
    r"(append|extend|pop)(left)?|clear|discard|remove|popitem|(\w+_)?update|(set|del)attr|__(set|del)item__"
)
"""Calls of C code that do the same or hand it out; on a bounded deque `append` does so too."""
RUNNING = re.compile(
    r"pytest_pyfunc_call|call_fixture_func|_teardown_yield_fixture|_call(SetUp|TestMethod|TearDown)"
)
"""Functions of pytest and unittest that call a test's or a fixture's code, whose locals end there."""
_RUN = asyncio.Handle._run.__code__

Place = tuple[CodeType, int]
"""A code object and an offset in it: where something was dropped."""


def dropping(frame: FrameType | None) -> FrameType | None:
    """Return the frame that drops a thing, past its finalizer and past our own wrappers."""
    while frame is not None:
        code = frame.f_code
        if code.co_name != "__del__" and not code.co_filename.startswith(PACKAGE + os.sep):
            break
        frame = frame.f_back
    return frame


def step_of(frame: FrameType | None) -> Context | None:
    """Return the context of the handle that a loop runs just now, if none but asyncio's code runs in it."""
    while frame is not None:
        code = frame.f_code
        if code is _RUN:
            return context_of(frame.f_locals.get("self"))
        if kind_of(code.co_filename) < SKIP:
            return None
        frame = frame.f_back
    return None


def harness(place: Place) -> bool:
    """Tell whether the harness drops it, and not because the code of a test or fixture returned."""
    code = place[0]
    return kind_of(code.co_filename) == HARNESS and not RUNNING.fullmatch(code.co_name)


def taken(place: Place) -> bool:
    """Tell whether it was dropped from a place that outlives the code that runs."""
    code, offset = place
    last: Any = None
    for instruction in dis.get_instructions(code):
        if instruction.offset > offset:
            break
        last = instruction
    if last is None:
        return False
    if REPLACING.fullmatch(last.opname):
        return True
    if not last.opname.startswith(("CALL", "POP_TOP")):
        return False
    line = last.positions.lineno
    same = [x.argval for x in dis.get_instructions(code) if x.positions and x.positions.lineno == line]
    return any(isinstance(name, str) and TAKING.fullmatch(name) for name in same)
