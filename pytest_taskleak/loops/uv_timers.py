"""How do timers of virtual time wait on a loop that keeps its own where Python cannot reach them?"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from pytest_taskleak.adapt.uvloop import UvTimer
from pytest_taskleak.loops.roles import NEVER

MOST_CANCELLED = 100


class Heap:
    """The timers of one loop; of those that are due together the oldest comes first."""

    def __init__(self) -> None:
        self.entries: list[tuple[float, int, UvTimer]] = []
        self.cancelled = 0

    def __iter__(self) -> Iterator[UvTimer]:
        return (entry[2] for entry in list(self.entries))

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, timer: UvTimer, older: Any = None) -> None:
        """Let a timer wait, perhaps for an older one of the loop's own."""
        if self.cancelled > MOST_CANCELLED and self.cancelled * 2 > len(self.entries):
            self.entries[:] = [entry for entry in self.entries if not entry[2].is_gone()]
            heapq.heapify(self.entries)
            self.cancelled = 0
        timer.wait_in(self, older)
        heapq.heappush(self.entries, (*timer.order, timer))

    def first(self) -> float:
        """Return when the next timer is due, `inf` without one."""
        entries = self.entries
        while entries:
            when, _, timer = entries[0]
            if not timer.is_gone():
                return when
            heapq.heappop(entries)
            self.cancelled -= 1
        return NEVER

    def fire(self, now: float) -> None:
        """Run the timers that are due before `now`; what they arm comes later."""
        entries, due = self.entries, []
        while entries and entries[0][0] < now:
            timer = heapq.heappop(entries)[2]
            if timer.is_gone():
                self.cancelled -= 1
            else:
                due.append(timer)
                timer.heap = None
        due.reverse()
        try:
            while due:
                due.pop().fire()
        finally:
            for timer in due:  # one of them has ended the loop
                if not timer.is_gone():
                    self.add(timer, timer.older)

    def take(self) -> list[UvTimer]:
        """Return the timers that still wait, the next one first, and forget them."""
        found = [timer for _, _, timer in sorted(self.entries) if not timer.is_gone()]
        self.entries.clear()
        self.cancelled = 0
        for timer in found:
            timer.heap = None
        return found
