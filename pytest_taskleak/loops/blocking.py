"""What becomes of a sleep that blocks a loop?

Nothing else can run meanwhile, so nothing is asked: the clock moves by so much.  That is told, because in
life it stops every task of that loop.
"""

from __future__ import annotations

import operator
import os
import sys
import threading
from types import FrameType
from typing import Any

from pytest_taskleak.adapt.code import SKIP, USER, kind_of, line_of
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.timing import pause


def blocking_sleep(time: VirtualTime, seconds: float) -> None:
    """Sleep in virtual time in the calling thread: move the clock, run nothing else, note who blocks a loop.

    While time follows the real one, it sleeps really; and what is no duration is refused as by `time.sleep`.
    """
    given: Any = seconds
    length = given if isinstance(given, float) else operator.index(given)
    if time.real_since is not None or not 0 < length <= threading.TIMEOUT_MAX:
        pause(seconds)
        return
    if blocks(time):
        note(time, length, sys._getframe(1))
    with time.lock:
        time.move(time.now + length)


def blocks(time: VirtualTime) -> bool:
    """Tell whether the calling thread runs a loop that lives in this time."""
    me = threading.get_ident()
    return any(participant.ident == me for participant in time.participants)


def note(time: VirtualTime, seconds: float, frame: FrameType) -> None:
    """Tell of a call that blocks a loop, once for each place."""
    end = f" at {place(frame)} blocks the loop"
    if not any(said.endswith(end) for said in time.stats.notes):
        time.stats.note(f"time.sleep({seconds:g}){end}")


def place(frame: FrameType) -> str:
    """Return where a call stands: the innermost line of the user, else of a library."""
    found: FrameType | None = None
    step: FrameType | None = frame
    while step is not None:
        kind = kind_of(step.f_code.co_filename)
        if kind == USER:
            found = step
            break
        if kind < SKIP and found is None:
            found = step
        step = step.f_back
    chosen = found or frame
    path = chosen.f_code.co_filename.removeprefix(os.getcwd() + os.sep)
    return f"{path}:{line_of(chosen.f_code, chosen.f_lasti)}  {chosen.f_code.co_qualname}"
