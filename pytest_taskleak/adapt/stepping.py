"""What are the timers of a loop made of, and when need its selector not be asked, where both must be fast?

Timers are compared by a tuple, because tuples are compared in C.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import selectors
import sys
from asyncio import base_events, events, futures, selector_events
from collections.abc import Callable
from types import CodeType, FrameType, MethodType
from typing import Any

from pytest_taskleak.adapt import turning
from pytest_taskleak.adapt.code import SKIP, kind_of

MOST_STEPS = 12
COARSE = 2.0**20
"""Seconds (12 days) up to which a float tells a nanosecond apart with some to spare."""
ROUNDING = 1.5 * 2.0**52
"""What rounds a smaller float to a whole number, when added and taken off again; `round` is much slower."""
POLL_MASK = 63
"""A loop that has nothing but its own pipe to hear of looks at it every 64th turn."""
BUSY = 1_000
"""Turns without a rest after which a driver is asked what to do about it."""
_Loop: Any = base_events.BaseEventLoop
SLOTS = {
    *("_callback", "_args", "_cancelled", "_loop", "_source_traceback", "_repr", "__weakref__", "_context"),
    *("_scheduled", "_when"),
}
KNOWN = {*events.Handle.__slots__, *events.TimerHandle.__slots__} == SLOTS
"""Whether a handle holds what it held in CPython 3.11 to 3.15; else it fills itself, and slower."""
SLEEPS = getattr(futures, "_set_result_unless_cancelled", None)
"""What the timer of `asyncio.sleep` calls."""
CALL_AT = turning.stock(_Loop.call_at)
CALL_LATER = turning.stock(_Loop.call_later)

_next = itertools.count().__next__
_context = contextvars.copy_context
_frame = sys._getframe
_transparent = {id(code) for code in turning.SCHEDULING_CODES}  # by identity: to hash code is slow
_quiet = {id(code) for code in turning.SLEEP_CODES}


class VirtualTimer(asyncio.TimerHandle):
    """A timer that knows when it was made, and on which line; equal times go by the order of birth.

    Parameters are those of `asyncio.TimerHandle`.
    """

    __slots__ = ("birth", "order")
    virtual = True
    birth: tuple[CodeType, int] | None
    order: tuple[float, int]

    def __init__(self, when: float, callback: Any, args: Any, loop: Any, context: Any = None) -> None:
        frame: Any = _frame(1)
        while id(frame.f_code) in _transparent and frame.f_back is not None:
            frame = frame.f_back
        if KNOWN and not loop.get_debug():
            fill(self, when, callback, args, loop, context, frame)
            return
        order = snapped(when)
        if order >= when or order > loop.time():
            when = order
        asyncio.TimerHandle.__init__(self, when, callback, args, loop, context)
        told_from_caller(self)
        self.order = (when, _next())
        self.birth = None if id(frame.f_code) in _quiet else place(frame)

    def __lt__(self, other: Any) -> bool:
        try:
            return self.order < other.order  # type: ignore[no-any-return]
        except AttributeError:  # a timer that is older than the clock
            return turning.when_of(self) < turning.when_of(other)

    __hash__ = asyncio.TimerHandle.__hash__

    def cancel(self) -> None:
        done: Any = self
        if done._scheduled or done._cancelled or done._loop.get_debug():
            asyncio.TimerHandle.cancel(self)
        else:  # it has fired, so that nothing counts it: `sleep` does so each time
            done._cancelled = True
            done._callback = done._args = None


def snapped(when: float) -> float:
    """Return a time as near to a whole nanosecond as it can be, so that errors of sums do not add up."""
    return (when * 1e9 + ROUNDING - ROUNDING) / 1e9 if -COARSE < when < COARSE else when


def fill(
    timer: Any, when: float, callback: Any, args: Any, loop: Any, context: Any, frame: FrameType | None
) -> None:
    """Do what `TimerHandle.__init__` does outside of debug mode, and note the birth.

    Parameters:
        timer: a new one.
        when: and the rest: see `asyncio.TimerHandle`.
        callback: see there.
        args: see there.
        loop: see there.
        context: see there.
        frame: who makes it, `None` where the task that waits tells it.
    """
    order = snapped(when)
    if (
        order >= when or order > loop.time()
    ):  # else it is armed once more by somebody for whom it is not due yet
        when = order
    timer._context = _context() if context is None else context
    timer._loop = loop
    timer._callback = callback
    timer._args = args
    timer._cancelled = False
    timer._repr = None
    timer._source_traceback = None
    timer._when = when
    timer._scheduled = False
    timer.order = (when, _next())
    timer.birth = None if frame is None or id(frame.f_code) in _quiet else place(frame)


def told_from_caller(timer: Any) -> None:
    """Leave a function of ours out of what debug mode tells of the birth of a timer."""
    if timer._source_traceback:
        del timer._source_traceback[-1]


def place(frame: FrameType | None) -> tuple[CodeType, int] | None:
    """Return the code and the instruction offset of the first frame that is not of the standard library."""
    for _ in range(MOST_STEPS):
        if frame is None:
            return None
        if kind_of(frame.f_code.co_filename) < SKIP:
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None


def quicken(loop: Any) -> None:
    """Let the attributes of a loop stay as quick as they are, whoever asks for its dictionary.

    The attributes of an instance whose dictionary was once asked for are several times slower, up to CPython
    3.12, unless the dictionary was given to it.  Nothing runs between the copy and the assignment.
    """
    object.__setattr__(loop, "__dict__", {**loop.__dict__})


def call_later(loop: Any) -> Callable[..., asyncio.TimerHandle] | None:
    """Return a faster `call_later` for a loop, `None` where the loop's own is not the stock one.

    It does the same, without the way through `call_at`; it steps aside in debug mode, and wherever
    `call_at` or the class of timers is somebody else's.  The loop must have been quickened.
    """
    if not KNOWN or getattr(loop.call_later, "__func__", None) is not CALL_LATER:
        return None
    own, kind = loop.__dict__, type(loop)
    original, push, new = loop.call_later, heapq.heappush, VirtualTimer.__new__

    def later(delay: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        if (
            loop._debug
            or loop._closed
            or delay is None
            or events.TimerHandle is not VirtualTimer
            or kind.call_at is not CALL_AT
            or "call_at" in own
        ):
            other = original(delay, callback, *args, context=context)
            if type(other) is VirtualTimer:
                told_from_caller(other)
            return other
        timer: Any = new(VirtualTimer)
        frame = None if callback is SLEEPS else _frame(1)
        fill(timer, loop.time() + delay, callback, args, loop, context, frame)
        push(loop._scheduled, timer)
        timer._scheduled = True
        return timer

    _transparent.add(id(later.__code__))
    return later


def descriptors(loop: Any) -> Any:
    """Return what a loop listens to, by descriptor; something of length 2 where that is not known.

    It is known for the selectors of the standard library under a stock loop, whose `select` nobody has
    replaced: there a look at them may be left out while the loop's own pipe is all there is.
    """
    selector = turning.selector_of(loop)
    known = getattr(selector, "_fd_to_key", None)
    stock = type(selector).__module__ == selectors.__name__ and type(selector.select) is MethodType
    process = getattr(selector_events.BaseSelectorEventLoop, "_process_events", None)
    if type(known) is not dict or not stock or type(loop)._process_events is not process:
        return ("unknown", "unknown")
    own = turning.own_fd(loop)
    return known if own in known else ("unknown", "unknown")


def signal_handlers(loop: Any) -> Any:
    """Return the signal handlers of a loop, which hear of a signal by its pipe alone."""
    return getattr(loop, "_signal_handlers", ())
