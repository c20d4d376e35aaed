"""What stands for the functions of `time`, and for that module, where code reads the virtual time?"""

from __future__ import annotations

import sys
import threading
import time as wall_time
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from pytest_taskleak.adapt.time_machine import travelling
from pytest_taskleak.loops.blocking import blocking_sleep, blocks, place
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wall import SECOND, Wall, nanoseconds
from pytest_taskleak.timing import now as real_now

DATES = frozenset({"time", "time_ns"})
NAMES = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep", *sorted(DATES))
SPIN = 1_000_000
"""How often time is read while it stands before that is a busy wait."""
CREEP = 1e-6
"""Seconds by which time creeps at each further reading: about what one costs in life."""


class Virtual:
    """The functions of `time` on a fake clock.

    They are handed out as bound methods, which a class may hold as it holds a built-in function.  Whoever
    keeps one beyond the clock's end has real time again, which does not go back.

    Parameters:
        time: the virtual time.
        wall: the date.
    """

    def __init__(self, time: VirtualTime, wall: Wall) -> None:
        self._time: VirtualTime | None = time
        self._wall = wall
        self._home = threading.get_ident()
        self._shift = 0.0
        self._read_at: float = time.now
        self._reads = 0
        self.named: dict[str, Callable[..., Any]] = {name: getattr(self, name) for name in NAMES}
        self.before: dict[str, Any] = {}

    def end(self) -> None:
        """Go on with real time."""
        if self._time is not None:
            self._shift = self._time.now - real_now()
            self._time = None

    def instead(self, value: Any) -> Any:
        """Return what stands for a value: ours for a function of `time`, the value itself for any other.

        Whoever has replaced a function by one of their own is left alone.
        """
        name = meant(value)
        if self._time is None or not name:
            return value
        if name in DATES and self._wall.everywhere:
            return value
        self.before[name] = value
        return self.named[name]

    def back(self, value: Any) -> Any:
        """Return for what a value stands that may be one of ours."""
        return next((self.before[name] for name in self.before if self.named[name] is value), value)

    # --- the functions --------------------------------------------------------------------------

    def monotonic(self) -> float:
        """Return the loops' time."""
        time = self._time
        if time is None:
            return real_now() + self._shift
        if time.real_since is not None:
            return time.live()
        now = time.now
        if now is self._read_at:
            self._reads += 1
            if self._reads > SPIN and time.free:
                return self._creep(time)
        else:
            self._read_at = now
            self._reads = 0
        return now

    def monotonic_ns(self) -> int:
        """Return the loops' time in nanoseconds."""
        return nanoseconds(self.monotonic())

    def perf_counter(self) -> float:
        """Return the loops' time."""
        return self.monotonic()

    def perf_counter_ns(self) -> int:
        """Return the loops' time in nanoseconds."""
        return nanoseconds(self.monotonic())

    def time(self) -> float:
        """Return the date in seconds since the epoch."""
        return self.time_ns() / SECOND

    def time_ns(self) -> int:
        """Return the date in nanoseconds since 1970; freezegun's or time-machine's while they show it."""
        theirs = wall_time.time_ns
        if self._time is None or travelling() or type(theirs) is not BuiltinFunctionType:
            return theirs()
        self.monotonic()  # creeps if it must
        return self._wall.nanoseconds

    def sleep(self, seconds: float) -> None:
        """Move the clock where a loop runs, or at home while none runs anywhere; elsewhere really sleep."""
        time = self._time
        if time is not None and time.settings.threads:
            wall_time.sleep(seconds)
            return
        alone = time is not None and not time.participants and threading.get_ident() == self._home
        if time is not None and (alone or blocks(time)):
            blocking_sleep(time, seconds)
        else:
            wall_time.sleep(seconds)

    def _creep(self, time: VirtualTime) -> float:
        """Let time go on although somebody does nothing but read it."""
        if self._reads == SPIN + 1:
            time.stats.note(f"a busy wait reads the time at {place(sys._getframe(1))}: time creeps there")
        with time.lock:
            time.move(time.now + CREEP)
            self._read_at = time.now
        return time.now


class VirtualModule(ModuleType):
    """The module `time` as the user's packages see it; what they set on it, they alone see.

    Parameters:
        virtual: the functions that differ.
    """

    def __init__(self, virtual: Virtual) -> None:
        super().__init__(wall_time.__name__, wall_time.__doc__)
        for name in ("__spec__", "__loader__", "__package__"):
            self.__dict__.pop(name, None)
        self.__dict__["_virtual"] = virtual

    def __getattr__(self, name: str) -> Any:
        return self._virtual.instead(getattr(wall_time, name))

    def __setattr__(self, name: str, value: Any) -> None:
        if self._virtual.named.get(name) is value:  # a patch is undone: nothing is left of it
            self.__dict__.pop(name, None)
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*dir(wall_time), *self.__dict__} - {"_virtual"})


def meant(value: Any) -> str:
    """Return which function of `time` a value is, or one of freezegun's stands for; empty for any other."""
    if type(value) is BuiltinFunctionType:
        return value.__name__ if value.__self__ is wall_time and value.__name__ in NAMES else ""
    if type(value) is FunctionType and value.__module__ == "freezegun.api":
        name = value.__name__.removeprefix("fake_")
        return name if name in NAMES else ""
    return ""
