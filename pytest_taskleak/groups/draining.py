"""How do all tasks of a group end, within one total time?

The phases of a shutdown that each had a time of their own were read as one: here one deadline bounds all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from pytest_taskleak.adapt import awaiting
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.groups.books import Books
from pytest_taskleak.groups.durations import seconds
from pytest_taskleak.groups.events import tell
from pytest_taskleak.groups.records import BACKGROUND, NAME, NUMBER, Flat, Outcome, Record, number_of, shorten

GRACE_SHARE = 1 / 3
"""The part of the deadline that is kept for cleanup, where nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainStats:
    """What became of the tasks of a group in a drain; total = cancelled + completed + errors + stuck.

    Parameters:
        total: tasks that lived when the drain began or were born while it ran.
        cancelled: those that ended by their cancellation.
        completed: those that ended with a result, in time or after their cancellation.
        errors: those that ended with an exception.
        timed_out: those that still ran when waiting was over; they were cancelled.
        stuck: those of them that still run.
        stuck_tasks: what the stuck ones are: name, birth, and the await chain down to what they wait for.
    """

    total: int = 0
    cancelled: int = 0
    completed: int = 0
    errors: int = 0
    timed_out: int = 0
    stuck: int = 0
    stuck_tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The times of a drain, in seconds from its beginning.

    Parameters:
        wait: when waiting ends and those that are left are cancelled.
        again: when they are cancelled once more; `None` for never.
        end: when the drain returns.
    """

    wait: float
    again: float | None
    end: float

    @classmethod
    def of(cls, deadline: object, grace: object, cancel_again: bool) -> Limits:
        """Return the times that were asked for.

        Raises:
            TypeError: a duration is no number.
            ValueError: a duration is nan, infinite or not above 0, or the grace is longer than the deadline.
        """
        end = seconds(deadline, "deadline", "drain()")
        kept = end * GRACE_SHARE if grace is None else seconds(grace, "grace", "drain()")
        if kept > end:
            raise ValueError(f"drain(): grace must be within the deadline of {end:g} s - got {grace!r}")
        return cls(wait=end - kept, again=end - kept / 2 if cancel_again else None, end=end)


class Drain:
    """One drain that runs: the tasks that it has met, and those that ran out of time."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.ended: Counter[Outcome] = Counter()
        self.left: dict[int, str | None] = {flat[NUMBER]: flat[NAME] for _, flat in books.left(books.own())}
        self.total = len(self.left)
        self.late: set[int] = set()
        self.cancels = False

    def born(self, task: Task, flat: Flat) -> None:
        """Note a task that is born meanwhile; one that is born too late is cancelled at once."""
        self.left[flat[NUMBER]] = flat[NAME]
        self.total += 1
        if self.cancels:
            self.late.add(flat[NUMBER])
            self.books.asked.add(task)
            task.cancel()

    def ends(self, flat: Flat, outcome: Outcome) -> None:
        """Note that a task has ended."""
        if self.left.pop(flat[NUMBER], self) is not self:
            self.ended[outcome] += 1

    async def run(self, limits: Limits) -> None:
        """Wait, cancel, and give cleanup its time."""
        books, loop = self.books, self.books.loop
        if loop is None:
            return  # never used
        began = loop.time()
        await books.wait(books.own(), limits.wait, daemons=False)
        self.late.update(flat[NUMBER] for _, flat in books.left(books.own(), daemons=False))
        self.cancels = True
        self.cancel("drain_cancelled", again=False)
        if limits.again is not None:
            if await books.wait(books.own(), began + limits.again - loop.time(), daemons=True):
                return
            self.cancel("drain_cancelled_again", again=True)
        await books.wait(books.own(), began + limits.end - loop.time(), daemons=True)

    def cancel(self, event: str, *, again: bool) -> None:
        """Ask to end what is left."""
        asked = self.books.cancel(self.books.own(), again=again)
        names = [flat[NAME] for flat in asked if not flat[BACKGROUND]]
        if names:
            tell(event, f"{number_of(len(names), 'task')} cancelled by a drain", tasks=names)

    def stats(self) -> DrainStats:
        """Count what became of them."""
        stuck = [(task, flat) for task, flat in self.books.left() if flat[NUMBER] in self.left]
        return DrainStats(
            total=self.total,
            cancelled=self.ended["cancelled"],
            completed=self.ended["completed"],
            errors=self.ended["error"],
            timed_out=len(self.late.union(self.left)),
            stuck=len(self.left),
            stuck_tasks=tuple(told(task, Record(*flat)) for task, flat in stuck),
        )


async def drain(books: Books, limits: Limits, name: str) -> DrainStats:
    """End every task of a group; see `TrackedTaskGroup.drain`."""
    if books.idle(books.own(), daemons=True):
        return DrainStats()
    run = Drain(books)
    tell("drain_started", f"drain of {name} began", tasks=list(run.left.values()))
    books.busy = True
    books.drains.append(run)
    try:
        await run.run(limits)
    except asyncio.CancelledError:
        run.cancel("drain_cancelled", again=False)  # no time is left, but nothing runs on
        raise
    finally:
        books.drains.remove(run)
    stats = run.stats()
    if stats.stuck:
        tell(
            "drain_stuck",
            f"drain of {name}: {number_of(stats.stuck, 'task')} left that will not end",
            tasks=list(stats.stuck_tasks),
        )
    tell("drain_ended", f"drain of {name} ended: {stats}", stats=stats)
    return stats


async def settle(books: Books, bound: float | None, cancel_pending: bool) -> bool:
    """Wait until every task has ended; see `TrackedTaskGroup.settle`."""
    done = await books.wait(books.own(), bound, daemons=False)
    if not done and cancel_pending:
        books.cancel(books.own(), daemons=False)
    return done


def told(task: Task, record: Record) -> str:
    """Return what a task is, where it was made, and the await chain down to what it waits for."""
    frames, what = awaiting.chain(task)
    chain = " -> ".join(f"{frame.qualname} ({shorten(frame.path)}:{frame.line})" for frame in frames)
    waits = f", waits in {chain}" if chain else ""
    return (
        f"{record.name!r}, born {record.born}{waits} for {what}"
        if what
        else f"{record.name!r}, born {record.born}{waits}"
    )
