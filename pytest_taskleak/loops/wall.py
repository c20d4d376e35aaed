"""What date is it in virtual time?

The wall clock begins with the date that was asked for and goes in step with the loops' time.  It may be set
to another time, and go faster or slower, while theirs does not: as in life.
"""

from __future__ import annotations

import math
import time as wall_time
from datetime import timedelta

from pytest_taskleak.adapt.time_machine import Travel
from pytest_taskleak.loops.errors import FakeClockError
from pytest_taskleak.loops.moment import COARSE
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.virtual import VirtualTime

SECOND = 10**9
MICROSECOND = timedelta(microseconds=1)


class Wall:
    """The date in virtual time, computed from its beginning at each move, so that no error adds up.

    With `wall=` it is what `time.time()`, `datetime.now()` and their like show everywhere, by time-machine.
    A date without a zone is in UTC, as it is for time-machine.  Without `wall=` it begins with the real date,
    and only the packages of `modules=` see it.

    Parameters:
        settings: what was asked for.

    Attributes:
        nanoseconds: what it shows, since the epoch.
    """

    def __init__(self, settings: Settings) -> None:
        self.start = settings.wall
        self.nanoseconds = 0
        self._time: VirtualTime | None = None
        self._travel: Travel | None = None
        self._passed = 0.0  # virtual seconds
        self._since = 0.0
        self._began = 0
        self._rate = 1.0

    @property
    def everywhere(self) -> bool:
        """Whether the whole process sees it."""
        return self.start is not None

    def install(self, time: VirtualTime) -> None:
        """Begin to show the date.

        Raises:
            FakeClockError: time-machine is not there, or cannot begin just now.
        """
        if self.start is None:
            self.nanoseconds = wall_time.time_ns()
        else:
            try:
                self._travel = Travel(self.start)
            except RuntimeError as error:
                raise FakeClockError(f"wall= {error}") from error
            self.nanoseconds = self._travel.start
        self._time = time
        self._passed = time.elapsed
        self._anchor(1.0)
        time.moves.append(self._moved)

    def uninstall(self) -> None:
        """Show what was shown before; whatever else was done to the wall clock meanwhile stays."""
        if self._time is None:
            return
        self._time.moves.remove(self._moved)
        self._time = None
        if self._travel is not None:
            self._travel.stop()
            self._travel = None

    def shift(self, delta: timedelta | float) -> None:
        """Let the wall clock jump, as it does when it is set; no other time moves.

        Parameters:
            delta: how far, back too; a plain number is seconds.

        Raises:
            FakeClockError: it is not in force.
        """
        with self._in_force().lock:
            if isinstance(delta, timedelta):
                self.nanoseconds += delta // MICROSECOND * 1000
            else:
                self.nanoseconds += nanoseconds(delta)
            self._anchor(self._rate)
            if self._travel is not None:
                self._travel.show(self.nanoseconds)

    def drift(self, rate: float) -> None:
        """Let the wall clock go faster or slower from here on.

        Parameters:
            rate: its seconds for each second of the loops' time.

        Raises:
            FakeClockError: it is not in force.
        """
        with self._in_force().lock:
            self._anchor(rate)

    def _in_force(self) -> VirtualTime:
        if self._time is None:
            raise FakeClockError("the wall clock is moved while the clock is in force: inside of its `with`")
        return self._time

    def _anchor(self, rate: float) -> None:
        self._since, self._began, self._rate = self._passed, self.nanoseconds, rate

    def _moved(self, step: float) -> None:
        """Go on, now that time has moved."""
        time = self._time
        if time is None:
            return
        now, base = time.now, time.base
        self._passed = time.earlier + (float.__sub__(now, base) if now < COARSE else now - base)
        self.nanoseconds = self._began + nanoseconds((self._passed - self._since) * self._rate)
        if self._travel is not None:
            self._travel.show(self.nanoseconds)


def nanoseconds(seconds: float) -> int:
    """Return seconds as whole nanoseconds, without the error of a large product."""
    rest, whole = math.modf(seconds)
    return int(whole) * SECOND + round(rest * SECOND)
