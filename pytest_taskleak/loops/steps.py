"""Who moves time by hand, how far, and who waits for it?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pytest_taskleak.loops.errors import LivelockError


class Step:
    """Somebody's wish that time moves: from timer to timer, the loops settled at each.

    Parameters:
        target: up to which time; `inf` for as long as there are timers.
        single: whether it ends after the first time at which a timer is due.
        limit: at how many times it may stop on the way.
        counts: returns the next time that counts; all do if it is `None`.
        done: called once at the end with the step, in the thread of whoever moved time last.
    """

    __slots__ = ("counts", "done", "ended", "error", "limit", "reached", "single", "stops", "target")

    def __init__(
        self,
        target: float,
        done: Callable[[Step], Any],
        *,
        single: bool = False,
        limit: int = 0,
        counts: Callable[[], float] | None = None,
    ) -> None:
        self.target = target
        self.single = single
        self.limit = limit
        self.counts = counts
        self.done = done
        self.stops = 0
        self.reached: float | None = None
        self.error: BaseException | None = None
        self.ended = False

    def note(self, when: float) -> None:
        """Note that a timer was reached on the way."""
        self.stops += 1
        self.reached = when
        if self.single:
            self.target = when
        elif self.limit and self.stops > self.limit:
            self.error = LivelockError(
                f"run_until_idle stopped at {self.limit:,} times at which timers were due, and there are "
                "more: something arms itself again for ever. Cancel it, call clock.background(task) on it, "
                "or give a larger max_timers"
            )
            self.target = -1.0


class Steps:
    """The wishes that are not fulfilled yet."""

    def __init__(self) -> None:
        self.pending: list[Step] = []
        self._lock = threading.Lock()

    def add(self, step: Step) -> None:
        """Note a wish."""
        with self._lock:
            self.pending = [*self.pending, step]

    def first(self) -> Step | None:
        """Return the one that is fulfilled first."""
        return min(self.pending, key=lambda step: step.target, default=None)

    def end(self, step: Step, now: float) -> None:
        """Tell whoever waits for a wish that it is fulfilled."""
        self.drop(step)
        if not step.ended:
            step.ended = True
            if step.reached is None and not step.single:
                step.reached = now
            step.done(step)

    def drop(self, step: Step) -> None:
        """Forget a wish, because it is fulfilled or nobody waits for it any more."""
        with self._lock:
            self.pending = [other for other in self.pending if other is not step]
