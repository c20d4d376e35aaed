"""Has another thread executed anything since it was last looked at, and does it sleep in the system?"""

from __future__ import annotations

import itertools
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytest_taskleak.adapt.frames import uncollected
from pytest_taskleak.adapt.interpreter_memory import is_own
from pytest_taskleak.adapt.os_threads import CALLS
from pytest_taskleak.adapt.sentry import Sentry

SENTRY = Sentry._run.__code__
_open, _read, _close = os.open, os.read, os.close
"""Out of reach of tools that forbid a loop to call what may block."""
_clock_of: Any = getattr(time, "pthread_getcpuclockid", None)
WAKE_UP = 0.002
"""Seconds in which a thread wakes up, to be on the safe side."""
UNKNOWN = 4
"""Switch intervals after which a thread that uses no time sleeps, where the system says nothing."""
MOST_BYTES = 256
RUNNING = b"running\n"
"""What the system says of a thread that runs, or could."""
ASLEEP = frozenset({b"S", b"D"})
TIMEOUT = 4
"""Where the system's words of a futex have the timeout, after the call, address, operation and value."""


def cpu_clocks() -> dict[int, int]:
    """Return ident -> clock of its processor time, for every thread that runs Python code.

    To ask for the clock of a thread that has ended may crash; so the threads are listed and asked within one
    call of C, in which none can end.  The clock itself may be read later: that fails without harm.
    """
    if _clock_of is None or sys.platform != "linux":
        return {}
    idents, again = itertools.tee(
        itertools.chain.from_iterable(itertools.starmap(sys._current_frames, ((),)))
    )
    try:
        return uncollected(lambda: dict(zip(idents, map(_clock_of, again), strict=False)))
    except OSError:
        return {}


read_clock: Callable[[int], float] = getattr(time, "clock_gettime", lambda _clock: 0.0)
"""Returns the seconds of processor time on a clock; raises `OSError` once its thread has ended."""


def used_on(clock: int | None) -> float:
    """Return the seconds of processor time on a clock, -1 if there is none or its thread has ended."""
    try:
        return -1.0 if clock is None else read_clock(clock)
    except OSError:
        return -1.0


def in_system(clock: int | None) -> bytes:
    """Return what the system says of the wait in which a thread sleeps; empty if it says nothing.

    It is the call and its arguments, so it is the same as long as the thread sleeps there.  It is `running`
    as soon as the thread was woken up, even if it has got no processor yet.

    Parameters:
        clock: the clock of its processor time, which has the number of the thread (Linux, `posix-timers.h`).
    """
    if clock is None:
        return b""
    folder = f"/proc/self/task/{~(clock >> 3)}"
    said = read(f"{folder}/syscall")
    if not said or said == RUNNING:
        return said
    # While it is woken up by another processor, it still has a call, but sleeps no more.
    state = read(f"{folder}/stat").rpartition(b") ")[2][:1]
    return said if state in ASLEEP else RUNNING


def read(path: str) -> bytes:
    """Return the beginning of a file of the system; empty if there is none."""
    try:
        fd = _open(path, os.O_RDONLY)
        try:
            return _read(fd, MOST_BYTES)
        finally:
            _close(fd)
    except OSError:
        return b""


def sleeps(said: bytes, still: float) -> bool:
    """Tell whether a thread that has used no processor time for some seconds is in a wait of the system.

    The other way to use none is to wait for the interpreter or for a processor.  Whoever waits for the
    interpreter waits for a lock that lies in its own memory; where that is not known, he wakes up again and
    again, after the switch interval, but for an instant at either end.

    Parameters:
        said: what the system says of the thread.
        still: the seconds.
    """
    words = said.split()
    if not words:
        return still >= UNKNOWN * sys.getswitchinterval()
    if not words[0].isdigit():
        return False
    if CALLS.get(int(words[0])) != "futex":
        return True
    if is_own(words):
        return False
    timed = len(words) <= TIMEOUT or int(words[TIMEOUT], 16) != 0
    return still > (sys.getswitchinterval() + WAKE_UP if timed else 0)


def is_asleep(ident: int) -> bool:
    """Tell whether a thread sleeps in the system, or is the caller; true where the system says nothing."""
    if ident == threading.get_ident():
        return True
    said = in_system(cpu_clocks().get(ident))
    return not said or sleeps(said, math.inf)


def is_sentry(frame: FrameType) -> bool:
    """Tell whether a thread is one of the watcher's own."""
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code is SENTRY
