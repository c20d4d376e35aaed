"""How do timers that are due at the same time fire in the order in which they were made?

The heap of a stock loop orders by time alone: ten equal timers fire as 0 2 6 9 8 5 7 4 1 3.  Under a fake
clock equal times are the rule, so while one is in force loops make their timers of a class that breaks ties.
"""

from __future__ import annotations

import asyncio

from pytest_taskleak.adapt import turning
from pytest_taskleak.adapt.stepping import VirtualTimer


class Ties:
    """Lets loops make their timers of `VirtualTimer`, as long as anybody wants it."""

    def __init__(self) -> None:
        self.users = 0
        self.before: type[asyncio.TimerHandle] = asyncio.TimerHandle

    def install(self) -> None:
        """Begin, for one more user."""
        self.users += 1
        if self.users == 1:
            self.before = turning.timer_class()
            turning.set_timer_class(VirtualTimer)

    def uninstall(self) -> None:
        """End, when the last user leaves."""
        self.users -= 1
        if self.users == 0 and turning.timer_class() is VirtualTimer:
            turning.set_timer_class(self.before)


TIES = Ties()
