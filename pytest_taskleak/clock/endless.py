"""Do the timers under a fake clock ever end, or does the test wait beside them for what never comes?

A heartbeat arms itself again for ever, so beside it a test that waits for ever is no deadlock: time goes on.
Now and then it is looked at what the test waits for; if that stays the same for very many jumps, and no timer
will end it, that is an error.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pytest_taskleak.adapt import asyncio_, running
from pytest_taskleak.adapt.awaiting import frames_of
from pytest_taskleak.adapt.code import SKIP, kind_of
from pytest_taskleak.clock.ending import Ending, loops_of
from pytest_taskleak.clock.timers import owned
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait
from pytest_taskleak.safely import is_a

MOST_JUMPS = 1_000_000
"""Jumps for which a test may wait for the same thing, that no timer will end."""
HINT_AFTER = 10_000
"""Jumps after which code that reads another clock is noted."""
CLOCKS = frozenset({"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"})
DEEPEST = 100


class Endless:
    """Looks now and then whether a test still gets on.

    Parameters:
        ending: what ends it otherwise.
    """

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.waits: Any = None  # ids of the task and of the future that the test waits for
        self.since = 0

    def look(self, time: VirtualTime) -> None:
        """Look at what the test waits for; called once in so many jumps.

        Raises:
            LivelockError: it waits for what no timer will end, and there is no task through which to tell it.
        """
        jumps = time.stats.jumps
        if jumps >= HINT_AFTER:
            self._hint(time)
        chain = self._chain(time)
        waits = tuple(id(each) for task in chain for each in (task, asyncio_.waiter_of(task)))
        if not chain or waits != self.waits or self._timed(time, chain):
            self.waits, self.since = waits, jumps
        elif jumps - self.since >= MOST_JUMPS:
            self.waits = None
            text = (
                f"timers never end: time has moved {jumps - self.since:,} times, and the test still waits "
                "for the same thing, which no timer will end. Give that wait a timeout."
            )
            time.verdict(time, Wait("livelock", text))

    def _chain(self, time: VirtualTime) -> list[Any]:
        """Return the test's task and those that it awaits, one after the other."""
        root = self.ending.root
        if root is None:
            found = (running.main_of(loop) for loop in loops_of(time))
            root = next((main for main in found if main is not None), None)
        chain: list[Any] = []
        while root is not None and not root.done() and root not in chain and len(chain) < DEEPEST:
            chain.append(root)
            waiter = running.child_of(asyncio_.waiter_of(root))
            root = waiter if is_a(waiter, asyncio.Task) else None
        return chain

    def _timed(self, time: VirtualTime, chain: list[Any]) -> bool:
        """Tell whether a timer will end the wait of one of the tasks."""
        return any(task in chain for loop in loops_of(time) for _, task in owned(loop) if task is not None)

    def _hint(self, time: VirtualTime) -> None:
        """Note which tasks read a clock that does not move with this one."""
        tasks = [task for loop in loops_of(time) for task in asyncio_.tasks_of(loop)]
        for code in {frame.f_code for task in tasks for frame in frames_of(task)}:
            read = CLOCKS.intersection(code.co_names)
            if read and kind_of(code.co_filename) < SKIP:
                time.stats.note(
                    f"{code.co_qualname} reads time.{min(read)}(), which this clock does not move, and time "
                    "has jumped very often: modules=[...] lets it read this one"
                )
