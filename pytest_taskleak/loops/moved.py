"""Over which descriptors has something gone since the last look, where nobody tells of it?

What is sent by code in C, or by methods that were taken out of their class before, is seen by the system's
own counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_taskleak.loops.descriptors import count_of, end_of, identity
from pytest_taskleak.loops.virtual import VirtualTime


class Moved:
    """Looks at descriptors again and again, and tells those who judge connections.

    Parameters:
        time: the virtual time.
    """

    def __init__(self, time: VirtualTime) -> None:
        self._outside: Any = time.outside
        self._marks: dict[int, tuple[object, ...]] = {}

    def see(self, fds: Iterable[int], *, active: bool) -> None:
        """Tell over which descriptors something has gone.

        Where the system does not count, something may always have gone over one that leads outside.

        Parameters:
            fds: those for which a loop waits.
            active: whether the loop has run anything since the last time.
        """
        connections = self._outside.connections
        for fd in fds:
            count = count_of(fd)
            mark = (identity(fd), *(() if count is None else (count.sent, count.received)))
            new, self._marks[fd] = mark != self._marks.get(fd), mark
            if new or (count is None and active and fd in connections.peers.outside and writes(fd)):
                connections.touch(fd)


def writes(fd: int) -> bool:
    """Tell whether something can be written to a descriptor."""
    end = end_of(fd)
    return end is not None and not end.reads
