"""What time is it for code on a simulated loop that reads the clock of the system, and not the loop's?

Every clock follows the loop's time where such a loop runs in this thread; anywhere else it is the real one.
The functions of `time` are replaced one by one.  For `datetime.now`, which cannot be, time-machine is needed:
with it the date is one of the storm's own; without it the date begins with the real one, so that the clocks
that follow the loop and those that do not agree by and large.
"""

from __future__ import annotations

import operator
import threading
import time as wall_time
from collections.abc import Callable, Iterator
from typing import Any

from pytest_taskleak.adapt.asyncio_ import running_loop
from pytest_taskleak.adapt.hermetic import START, HermeticLoop
from pytest_taskleak.adapt.time_machine import Shown, travelling
from pytest_taskleak.loops.functions import DATES, NAMES, meant
from pytest_taskleak.loops.wall import SECOND, nanoseconds
from pytest_taskleak.timing import now as real_now

EPOCH = 1_767_614_400
"""The date on which a run begins, in seconds since 1970: noon of Monday, 5 January 2026, UTC."""
WEEK = 7 * 24 * 3600
SPIN = 2_000
"""How often time is read at one moment before that is a busy wait."""
CREEP = 5e-5
"""Seconds by which time goes on at each further reading: else a busy wait would never end."""
POLLS = 16
"""How often time is read at one moment before that may be code that blocks, and polls."""
PATIENCE = 3.0
"""Real seconds at one moment after which such code has the real time pass: else it would never end."""


class Clocks:
    """The clocks of a storm; they are handed out as bound methods, which a class may hold."""

    def __init__(self) -> None:
        self.named: dict[str, Callable[..., Any]] = {name: getattr(self, name) for name in NAMES}
        self._real: dict[str, Any] = {name: getattr(wall_time, name) for name in NAMES}
        self._date = 0
        self._fixed = False
        self._shown: Shown | None = None
        self._at = self._since = 0.0
        self._reads = 0

    def start(self, *, fixed: bool) -> None:
        """Begin with the date.

        Parameters:
            fixed: whether the date may be one of the storm's own; else it begins with the real one.
        """
        self._real = {name: getattr(wall_time, name) for name in NAMES}
        theirs = travelling()
        self._fixed = fixed and not theirs
        try:
            self._shown = Shown(self._date_of)
        except RuntimeError:  # not there, or freezegun is at work
            self._shown, self._fixed = None, False
        date = self._real["time_ns"]()
        self._date = date if theirs else -(-date // SECOND) * SECOND

    def end(self) -> None:
        """Show the date that was shown before."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def begin(self, number: int) -> None:
        """Begin anew, for a run.

        Parameters:
            number: 0, or what chooses another date.
        """
        self._at, self._reads = 0.0, 0
        if self._fixed:
            self._date = (EPOCH + number % WEEK) * SECOND

    def ways(self) -> Iterator[tuple[Any, str, Any]]:
        """Yield what is put where; whoever has replaced a function by one of their own is left alone."""
        for name in NAMES:
            value = self._real[name]
            theirs = name in DATES and (self._shown is not None or not callable(value) or frozen(value))
            if meant(value) and not theirs:
                yield wall_time, name, self.named[name]

    # --- the functions ------------------------------------------------------------------------------

    def monotonic(self) -> float:
        """Return the loop's time."""
        loop = running_loop()
        return self._now(loop) if isinstance(loop, HermeticLoop) else self._real["monotonic"]()

    def monotonic_ns(self) -> int:
        """Return the loop's time in nanoseconds."""
        loop = running_loop()
        if isinstance(loop, HermeticLoop):
            return nanoseconds(self._now(loop))
        return self._real["monotonic_ns"]()  # type: ignore[no-any-return]

    def perf_counter(self) -> float:
        """Return the loop's time."""
        loop = running_loop()
        return self._now(loop) if isinstance(loop, HermeticLoop) else self._real["perf_counter"]()

    def perf_counter_ns(self) -> int:
        """Return the loop's time in nanoseconds."""
        loop = running_loop()
        if isinstance(loop, HermeticLoop):
            return nanoseconds(self._now(loop))
        return self._real["perf_counter_ns"]()  # type: ignore[no-any-return]

    def time(self) -> float:
        """Return the date in seconds since 1970."""
        date = self._date_of()
        return self._real["time"]() if date is None else date / SECOND

    def time_ns(self) -> int:
        """Return the date in nanoseconds since 1970."""
        date = self._date_of()
        return self._real["time_ns"]() if date is None else date

    def sleep(self, seconds: float) -> None:
        """Let the loop's time go on, where it runs: it is blocked, and nothing else happens meanwhile.

        A call of a pool sleeps for itself: its result comes so much later.
        """
        loop = running_loop()
        if isinstance(loop, HermeticLoop):
            given: Any = seconds
            length = given if isinstance(given, float) else operator.index(given)
            if 0 <= length <= threading.TIMEOUT_MAX:
                loop.sleeps(length)
                return
        self._real["sleep"](seconds)  # refuses what is no duration

    def _now(self, loop: HermeticLoop) -> float:
        now = loop.now
        if now != self._at:
            self._at, self._reads, self._since = now, 0, real_now()
        self._reads += 1
        if self._reads > SPIN:
            self._at = loop.now = now + CREEP
        elif self._reads > POLLS and (passed := real_now() - self._since) > PATIENCE:
            self._at = loop.now = now + passed
            self._since += passed
        return loop.now + (loop.slept or 0.0)

    def _date_of(self) -> int | None:
        """Return the date of the simulated loop that runs in this thread; `None` where none does."""
        loop = running_loop()
        if not isinstance(loop, HermeticLoop):
            return None
        return self._date + nanoseconds(self._now(loop) - START)


def frozen(value: Any) -> bool:
    """Tell whether a function of `time` is one of freezegun's: the date stands as the test wants it."""
    return getattr(value, "__module__", "") == "freezegun.api"
