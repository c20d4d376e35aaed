"""How does one loop live in virtual time, and how does it get out of it again?

The running loop is driven in place, by attributes of the instance: no loop factory, no policy, no class of
loops.  Its time never goes back: afterwards it goes on from where it is, with the speed of real time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import turning
from pytest_taskleak.loops.errors import FakeClockError
from pytest_taskleak.loops.moment import Moment
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.timing import now as real_now

OURS = "_taskleak_shift"


class Driver:
    """One loop in virtual time; a participant while the loop runs.

    Parameters:
        loop: the loop.
        time: the virtual time that it lives in.
    """

    def __init__(self, loop: Any, time: VirtualTime) -> None:
        self.loop = loop
        self.time = time
        self.ident = 0
        self.resting = False
        self.running = False
        self.offset = 0.0
        self.closed: Callable[[Driver], None] = nobody  # called when the loop is closed
        self._own: Any = None
        self._before: Any = turning.ABSENT
        self._close: Any = None
        self._close_before: Any = turning.ABSENT

    # --- in and out -----------------------------------------------------------------------------

    def attach(self) -> None:
        """Let the loop live in virtual time from here on."""
        here = self.loop.time()
        if self.time.settings.start is None:
            self.offset = max(0.0, float(math.ceil(here - self.time.now)))
            self._moved(self.time.now + self.offset - here)
        elif self.due() < NEVER:
            raise FakeClockError(
                "start= needs a loop without timers: what waits already would come too early or late"
            )
        self._before = turning.instance_attribute(self.loop, "time")
        self._face()
        self.time.faces.append(self._face)
        closes = self._closes()
        self._close_before = turning.instance_attribute(closes, "close")
        self._close = closes.close = self._make_close(closes)

    def detach(self) -> None:
        """Let it live in real time again, from the time that it has now."""
        self.time.faces.remove(self._face)
        turning.restore(self._closes(), "close", self._close, self._close_before)
        before = self._before
        turning.restore(self.loop, "time", self._own, before)
        if self.loop.is_closed() or self.loop.time is self._own:
            return
        going_on(self.loop, self.time.now + self.offset)

    def _closes(self) -> Any:
        """Return what is closed with the loop, and tells it; the loop itself, if there is nothing else."""
        return self.loop

    def _make_close(self, closes: Any) -> Callable[[], None]:
        original = closes.close

        def close() -> None:
            original()
            if self.loop.is_closed():
                self.closed(self)

        return close

    def _moved(self, seconds: float) -> None:
        """Keep the remaining delays of what waits already, though the time of the loop is another one."""
        if seconds:
            turning.shift_timers(self.loop, seconds)

    def _face(self) -> None:
        """Let `loop.time()` be virtual, or follow real time while that is wanted."""
        ours = self._own
        self._own = clock_of(self.time, self.offset)
        if ours is None or self.loop.time is ours:
            self.loop.time = self._own

    # --- running --------------------------------------------------------------------------------

    def begins(self) -> None:
        """Note that the loop begins to run, in this thread."""
        self.ident = threading.get_ident()
        self.running = True
        self.time.join(self)

    def ends(self) -> None:
        """Note that it runs no more."""
        self.running = False
        self.time.leave(self)

    def raise_next(self, error: BaseException) -> None:
        """Let an error come out of the loop's run, in place of its end."""
        raise NotImplementedError

    # --- as a participant -----------------------------------------------------------------------

    def due(self) -> float:
        """Return when the next timer of the loop is due, `inf` without one."""
        raise NotImplementedError

    def stirs(self) -> bool:
        """Tell whether there is something for the loop to do."""
        raise NotImplementedError

    def wake(self) -> None:
        """End the loop's wait; called from any thread."""
        raise NotImplementedError


def nobody(driver: Driver) -> None:
    """Tell nobody."""


def clock_of(time: VirtualTime, offset: float) -> Callable[[], float]:
    """Return what a loop calls to know the time."""
    if time.real_since is not None:
        return lambda: Moment(time.live() + offset)
    if offset:
        return lambda: Moment(time.now + offset)
    return lambda: time.now


def going_on(loop: Any, now: float) -> None:
    """Let the real time of a loop go on from `now`, never back.

    Nothing is left on the loop if that is what its own clock shows anyway.
    """
    before = turning.instance_attribute(loop, "time")
    inner = getattr(before, OURS, None)  # of an earlier clock: not one upon the other
    clock: Callable[[], float] = real_now if inner is not None else loop.time
    shift = now - clock()

    def time() -> float:
        return clock() + shift

    setattr(time, OURS, shift)
    loop.time = time
