"""What does a timer of a simulated loop know: who armed it, its place among equals, and what it bounds?"""

from __future__ import annotations

import asyncio
from asyncio import tasks, timeouts
from types import CodeType
from typing import Any

Places = tuple[CodeType, int] | None
"""Code, and the place in it."""


class Timer(asyncio.TimerHandle):
    """A timer that knows the line that armed it; equal times go by a number that a seed may choose."""

    __slots__ = ("birth", "order")
    birth: Places
    order: tuple[float, int]

    def __lt__(self, other: Any) -> bool:
        return self.order < other.order  # type: ignore[no-any-return]

    __hash__ = asyncio.TimerHandle.__hash__


class Patience(Timer):
    """A timer with which somebody bounds a wait; it tells the loop when the wait was in vain."""

    __slots__ = ()

    def _run(self) -> None:
        loop: Any = getattr(self, "_loop", None)
        if loop is not None:
            loop.expired.append((loop.time(), self.birth))
        super()._run()


# What asyncio calls when a bounded wait is over: in `wait`, in `timeout` and `wait_for`.  Without these names
# each timer is a plain one, and nobody hears of a stop that gave up.
PATIENCE = tuple(
    found
    for found in (getattr(tasks, "_release_waiter", None), getattr(timeouts.Timeout, "_on_timeout", None))
    if found is not None
)


def timer_for(callback: Any) -> type[Timer]:
    """Return the class of the timer that a callback gets."""
    return Patience if getattr(callback, "__func__", callback) in PATIENCE else Timer
