"""Which threads live in virtual time, and which of their waits do?

`time.sleep`, `Condition.wait`, all that is built on it, and `Thread.join`; for threads that begin under the
clock, for the one that has put it in force and the main one, and for the workers of pools.  Threads that were
there before, and those that watch the run, stay in real time.
"""

from __future__ import annotations

import functools
import operator
import sys
import threading
import time as time_module
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pytest_taskleak.adapt import thread_time as names
from pytest_taskleak.loops.blocking import blocks, note
from pytest_taskleak.loops.moment import exact
from pytest_taskleak.loops.sleepers import Joiner, Sleeper, Sleepers
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.safely import is_a
from pytest_taskleak.timing import now as real_now

LATE = -1e-9
"""Seconds that are left at the very end of a wait: some code goes on as long as they are not below 0, because
in life it is always a little later."""


class Instant(float):
    """A virtual time that a wait of a thread is reckoned with; right also when the clock ends in between.

    `endtime = monotonic() + timeout` and `endtime - monotonic()` may lie on both sides of the end.
    """

    __slots__ = ("sleepers",)
    sleepers: Sleepers

    @classmethod
    def of(cls, when: float, sleepers: Sleepers) -> Instant:
        """Return a virtual time of a clock."""
        instant = cls(when)
        instant.sleepers = sleepers
        return instant

    def __add__(self, other: float) -> Instant:
        return Instant.of(float(self) + other, self.sleepers)

    __radd__ = __add__

    def __sub__(self, other: float) -> float:
        if type(other) is Instant:
            return exact(float(self) - float(other), float(self)) or LATE
        return self.sleepers.real(float(self)) - other

    def __rsub__(self, other: float) -> float:
        return other - self.sleepers.real(float(self))


class ThreadTime:
    """Lets threads wait in virtual time from its installation to its end.

    Parameters:
        time: the virtual time.
    """

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.sleepers = Sleepers(time)
        self.known: Any = threading.local()
        self.older: dict[int, Any] = {}  # ident -> reference to the thread, or `None`
        self.patches = names.Patches()
        self.really_sleep = time_module.sleep
        self.really_wait = threading.Condition.wait
        self.really_join = threading.Thread.join

    # --- in force -------------------------------------------------------------------------------

    def install(self) -> None:
        """Begin; the threads that are there now stay in real time."""
        for ident, thread in names.threads().items():
            self.older[ident] = None if thread is None else weakref.ref(thread)
        for name in names.missing():
            self.time.stats.note(f"threads wait in real time in {name}, which this Python keeps elsewhere")
        for target, name, ours in names.replacements(self.sleep, self._wait(), self._join(), self.monotonic):
            self.patches.replace(target, name, ours)

    def uninstall(self) -> None:
        """Put everything back; whoever sleeps goes on in real time."""
        self.patches.undo_all()
        self.sleepers.end()
        self.older.clear()
        self.known = SimpleNamespace()  # what belongs to threads goes now, not when garbage is collected

    # --- who ------------------------------------------------------------------------------------

    def virtual(self) -> bool:
        """Tell whether the calling thread lives in virtual time."""
        if self.sleepers.over:
            return False
        known: bool | None = getattr(self.known, "virtual", None)
        if known is None:
            known = self.known.virtual = self._decide()
        return known

    def _decide(self) -> bool:
        ident = threading.get_ident()
        thread = names.thread_of(ident)
        if ident == self.sleepers.home or thread is threading.main_thread():
            return True
        if ident in self.older:
            before = self.older[ident]
            same = names.is_dummy(thread) or thread is None if before is None else before() is thread
            if same:
                return thread is not None and names.is_worker(thread)
        return thread is None or not names.is_watcher(thread)

    # --- what -----------------------------------------------------------------------------------

    def monotonic(self) -> float:
        """Return the time for the loops around a wait."""
        return Instant.of(self.time.live(), self.sleepers) if self.virtual() else real_now()

    def sleep(self, seconds: Any, /) -> None:
        """Sleep, as `time.sleep` does."""
        virtual = self.virtual() and not names.caller_is_in("subprocess", 1)  # it polls for a child that way
        delay = delay_of(seconds) if virtual else None
        if not delay:
            self.really_sleep(seconds)
            return
        if blocks(self.time):
            note(self.time, delay, sys._getframe(1))
        self.sleepers.rest(Sleeper(self.sleepers, delay))

    def _wait(self) -> Callable[..., Any]:
        original = self.really_wait

        @functools.wraps(original)
        def wait(self_: Any, timeout: Any = None) -> Any:
            delay = delay_of(timeout) if timeout is not None and self.virtual() else None
            if delay is None:
                return original(self_, timeout)
            sleeper = Sleeper(self.sleepers, delay)
            rest = functools.partial(self.sleepers.rest, sleeper) if delay else sleeper.give_up
            return names.wait_on(self_, sleeper, rest)

        return wait

    def _join(self) -> Callable[..., None]:
        original = self.really_join

        @functools.wraps(original)
        def join(self_: Any, timeout: Any = None) -> None:
            virtual = timeout is not None and self.virtual() and not names.caller_is_in("pytest_taskleak", 1)
            delay = delay_of(timeout) if virtual else None
            if delay is None or names.has_ended(self_) or names.is_current(self_):
                original(self_, timeout)
            elif delay:
                joiner = Joiner(self.sleepers, delay, self_, original)
                self.sleepers.rest(joiner)
                if names.has_ended(self_):
                    original(self_, max(0.0, joiner.until - self.time.now))

        return join


def delay_of(seconds: Any) -> float | None:
    """Return a delay that a real wait takes, 0 for less, `None` for what only the real one can answer."""
    if is_a(seconds, float):
        delay = float.__float__(seconds)
    else:
        try:
            delay = float(operator.index(seconds))
        except (TypeError, OverflowError):
            return None
    return max(0.0, delay) if delay <= threading.TIMEOUT_MAX else None
