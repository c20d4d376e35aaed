"""Which tasks does a group have, and which of them are waited for?"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.adapt.waits import awaiters_of
from pytest_taskleak.groups.failures import Failures, OnError
from pytest_taskleak.groups.records import BACKGROUND, NOBODY, Flat, Outcome, TrackedTask, living, past


class Waiter:
    """Somebody who waits until no task is left, apart from some.

    Parameters:
        future: gets a result when that is so.
        exempt: the tasks that are not waited for.
        daemons: whether background tasks are waited for.
    """

    __slots__ = ("daemons", "exempt", "future")

    def __init__(self, future: asyncio.Future[None], exempt: AbstractSet[Task], daemons: bool) -> None:
        self.future = future
        self.exempt = exempt
        self.daemons = daemons


class Books:
    """The entries of one group.

    Parameters:
        history: how many ended tasks are remembered.
        on_error: is told of each failure.
    """

    __slots__ = (
        *(
            "asked",
            "busy",
            "daemons",
            "drains",
            "early",
            "failures",
            "leaving",
            "live",
            "loop",
            "opener",
            "past",
            "total",
        ),
        "waiters",
    )

    def __init__(self, history: int, on_error: OnError | None) -> None:
        self.loop: Any = None  # the one in which it is used
        self.live: dict[Task, Flat] = {}
        self.past: deque[tuple[Flat, Outcome, float]] = deque(maxlen=history)
        self.total = 0
        self.daemons = 0
        self.asked: set[Task] = set()  # to end, by the group itself
        self.opener = (
            NOBODY  # the one that is being made: an eager task runs, and may end, before it is in `live`
        )
        self.early: Flat | None = None  # the one that did end so
        self.busy = False  # whether anything below was ever used: asked for each task
        self.leaving = False
        self.drains: list[Any] = []  # those that run: each is told of births and ends
        self.waiters: set[Waiter] = set()
        self.failures = Failures(on_error)

    def tasks(self) -> tuple[TrackedTask, ...]:
        """Return what is known of the living ones, in the order of their births."""
        now = 0.0 if self.loop is None else self.loop.time()
        return tuple(living(flat, task, now) for task, flat in list(self.live.items()))

    def history(self) -> tuple[TrackedTask, ...]:
        """Return what is known of those that ended last, the earliest end first."""
        return tuple(past(*entry) for entry in list(self.past))

    def eager(self) -> Flat:
        """Return the entry of a task that ends while it is made, before it is in `live`."""
        self.early = self.opener
        return self.opener

    def entered(self, task: Task, flat: Flat) -> None:
        """Tell who must know of a birth."""
        self.busy = True
        self.daemons += flat[BACKGROUND]
        for drain in self.drains:
            drain.born(task, flat)

    def struck(self, task: Task, flat: Flat, outcome: Outcome) -> None:
        """Tell who must know of an end."""
        if self.early is not flat:
            self.daemons -= flat[BACKGROUND]
        self.asked.discard(task)
        for drain in self.drains:
            drain.ends(flat, outcome)
        if self.waiters:
            self.wake()
        if self.leaving and self.daemons and self.daemons == len(self.live):
            self.end_daemons()

    def own(self) -> set[Task]:
        """Return the running task and those that wait for it: to cancel one of them is to cancel it."""
        found: set[Task] = set()
        ahead = [asyncio.current_task()]
        while ahead:
            task = ahead.pop()
            if task is not None and task not in found:
                found.add(task)
                ahead += awaiters_of(task, self.live)
        return found

    def left(
        self, exempt: AbstractSet[Task] = frozenset(), *, daemons: bool = True
    ) -> Iterator[tuple[Task, Flat]]:
        """Yield the living tasks with their entries.

        Parameters:
            exempt: tasks that do not count.
            daemons: whether background tasks count.
        """
        for task, flat in list(self.live.items()):
            if task not in exempt and (daemons or not flat[BACKGROUND]):
                yield task, flat

    def idle(self, exempt: AbstractSet[Task], daemons: bool) -> bool:
        """Tell whether no living task counts."""
        if not any(task in self.live for task in exempt):
            return len(self.live) == (0 if daemons else self.daemons)
        return next(self.left(exempt, daemons=daemons), None) is None

    def wake(self) -> None:
        """Wake those that have waited for what is so now."""
        for waiter in list(self.waiters):
            if not waiter.future.done() and self.idle(waiter.exempt, waiter.daemons):
                waiter.future.set_result(None)

    async def wait(self, exempt: AbstractSet[Task], bound: float | None, *, daemons: bool) -> bool:
        """Wait until no living task counts; return whether that came.

        Parameters:
            exempt: tasks that do not count.
            bound: seconds of the loop's clock to wait; `None` for any time.
            daemons: whether background tasks count.
        """
        if self.idle(exempt, daemons):
            return True
        loop: Any = self.loop
        self.busy = True
        waiter = Waiter(loop.create_future(), exempt, daemons)
        self.waiters.add(waiter)
        timer = None if bound is None else loop.call_later(bound, expire, waiter.future)
        try:
            await waiter.future
        finally:
            self.waiters.discard(waiter)
            if timer is not None:
                timer.cancel()
        return self.idle(exempt, daemons)

    def cancel(self, exempt: AbstractSet[Task], *, again: bool = False, daemons: bool = True) -> list[Flat]:
        """Ask living tasks to end, each once unless told again; return those that were asked now."""
        self.busy = True
        found = []
        for task, flat in self.left(exempt, daemons=daemons):
            if again or task not in self.asked:
                self.asked.add(task)
                task.cancel()
                found.append(flat)
        return found

    def end_daemons(self) -> None:
        """Ask the background tasks to end, each once."""
        for task, flat in list(self.live.items()):
            if flat[BACKGROUND] and task not in self.asked:
                self.asked.add(task)
                task.cancel()


def expire(future: asyncio.Future[None]) -> None:
    """End somebody's waiting."""
    if not future.done():
        future.set_result(None)
