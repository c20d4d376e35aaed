"""Does a thread that was found at rest still rest?"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CodeType

from pytest_taskleak.adapt import cpu_time
from pytest_taskleak.adapt.blocked import RUNS, Place

At = tuple[CodeType, int]


@dataclass(slots=True, eq=False)
class Seen:
    """What is known of a thread.

    Parameters:
        clock: its clock of processor time, `None` if there is none.
        used: the processor time that it had used, when it was last looked at.
        at: where it stood then.
        since: the real time since when it has executed nothing.
        older: it is older than the virtual time.
        moved: it has executed something since then.
        free: it is older, and nobody has handed anything to it: it never stood in a wait that is known.
        homes: where it rests, if it is free.
        place: what is known of the wait that it stands in.
        said: what the system said of the wait, where that must stay the same.
        quiet: it rests there, as long as it executes nothing and what it waits for has not come.
    """

    clock: int | None
    used: float
    at: At
    since: float
    older: bool = False
    moved: bool = False
    free: bool = False
    homes: set[At] = field(default_factory=set)
    place: Place = RUNS
    said: bytes = b""
    quiet: bool = False

    def rests(self) -> bool:
        """Tell whether it certainly still rests.

        First what it waits for, then the time that it used: it may take that without the interpreter, but not
        without using time.
        """
        if not self.quiet or self.clock is None:
            return False
        waits = self.place.waits
        if waits is not None and not waits():
            return False
        try:
            if cpu_time.read_clock(self.clock) != self.used:
                return False
        except OSError:
            return False
        return not self.said or cpu_time.in_system(self.clock) == self.said
