"""How does the wall clock show another date?  time-machine sees to it; this is the one place that knows it.

Its documented names are `travel` and `shift`.  Its stack of travellers is read to take ours out from below
somebody else's; where there is no such stack, the last one that began is taken to be ours.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from typing import Any

INSTALL = "pip install 'pytest-taskleak[wall]'"
FROZEN = "cannot be kept while freezegun is active: leave the block of freeze_time, or leave out wall="
SECOND = 10**9
ONE_STEP = 2**48
"""Nanoseconds (3 days) up to which a float of seconds means one certain nanosecond."""


class Travel:
    """The wall clock at another date, where it stands but for `show`.

    Parameters:
        start: the date; without a zone it is in UTC, as for time-machine, unless `time_machine.naive_mode`
            says otherwise.  One of `zoneinfo` sets the local zone too.  A number is seconds since 1970.

    Raises:
        RuntimeError: it is not installed, too old, or does not work now; the message says why.
    """

    def __init__(self, start: dt.datetime | int) -> None:
        library = load()
        self._stack: list[Any] = getattr(library, "traveller_stack", [])
        self._below = self._stack[-1] if self._stack else None
        self._travel = library.travel(start, tick=False)
        self._traveller = self._travel.start()
        self.start = round(self._traveller.time_ns(), -3)  # some versions reckon in floats

    def show(self, nanoseconds: int) -> None:
        """Let the wall clock show a time since the epoch, exactly."""
        ahead = nanoseconds - self._traveller.time_ns()
        if not -ONE_STEP < ahead < ONE_STEP:
            self._traveller.shift(ahead // SECOND)
            ahead %= SECOND
        # A quarter more: some versions cut off what others round.
        self._traveller.shift((ahead + (0.25 if ahead > 0 else -0.25)) / SECOND)

    def stop(self) -> None:
        """Show what was shown before, and leave alone whoever has begun to travel since."""
        index = next((i for i, each in enumerate(self._stack) if each is self._traveller), -1)
        if index >= 0:
            self._take_out(index)
        elif not hasattr(sys.modules.get("time_machine"), "traveller_stack"):
            self._travel.stop()
        elif self._stack and self._stack[-1] is self._below:
            self._travel.stop()  # who travelled before us has ended since, and ended ours in place of its own

    def _take_out(self, index: int) -> None:
        above = self._stack[index + 1 :]
        if not above:
            self._travel.stop()
            return
        for each in reversed(above):  # each remembers the local zone that was in force below it
            zone(each, "_stop")
        zone(self._stack.pop(index), "_stop")
        for each in above:
            zone(each, "_start")


class Shown(Travel):
    """The wall clock as a function has it, which is asked at each look; the local zone stays what it is.

    Parameters:
        shown: returns the time since the epoch in nanoseconds; `None` for the date that was shown before.

    Raises:
        RuntimeError: as for `Travel`, or this version asks nobody.
    """

    def __init__(self, shown: Callable[[], int | None]) -> None:
        super().__init__(0)
        below = load().escape_hatch.time.time_ns if self._below is None else self._below.time_ns

        def time_ns() -> int:
            found = shown()
            return below() if found is None else found

        self._traveller.time_ns = lambda: SECOND
        heard = time.time_ns()
        self._traveller.time_ns = time_ns
        if heard != SECOND:
            self.stop()
            raise RuntimeError(f"needs another time-machine: {INSTALL}")


def zone(traveller: Any, method: str) -> None:
    """Let a traveller set its local zone, or put back the one before; a version without that has no zones."""
    change = getattr(traveller, method, None)
    if change is not None:
        change()


def load() -> Any:
    """Return the library.

    Raises:
        RuntimeError: it is not there, too old, or freezegun stands in its way.
    """
    try:
        import time_machine
    except ImportError:
        raise RuntimeError(f"needs time-machine: {INSTALL}") from None
    if hasattr(time_machine.escape_hatch.time, "monotonic"):  # before 3.0 it froze that too
        raise RuntimeError(f"needs time-machine 3 or later: {INSTALL}")
    if dt.datetime.__name__ == "FakeDatetime":
        raise RuntimeError(FROZEN)
    return time_machine


def travelling() -> bool:
    """Tell whether anybody travels just now."""
    hatch = getattr(sys.modules.get("time_machine"), "escape_hatch", None)
    return hatch is not None and bool(hatch.is_travelling())
