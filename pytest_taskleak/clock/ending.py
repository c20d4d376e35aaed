"""How does a test end under a fake clock when nothing can ever happen again?

Its task is cancelled, so that all cleanup runs, and at the border of the test the cancellation becomes the
error.  Where no task is known, or cleanup waits for ever as well, the error is raised out of the loop's wait.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import asyncio_, running
from pytest_taskleak.loops.errors import (
    DeadlockError,
    ExternalWorkTimeout,
    FakeClockError,
    LivelockError,
    TimeWentReal,
)
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait

MOST_TASKS = 20
MESSAGE = "the fake clock ends this test"
CURES = {
    "thread": "Let the thread end, or tell it from the work that matters with clock.ignore(thread); "
    "a thread that sleeps is in virtual time with threads=True.",
    "pool": "Let the call end, or wait longer with hang_after=...",
    "child": "Let the process end, or wait longer with hang_after=...",
    "peer": 'Answer it, wait longer with hang_after=..., or let time go on without it with io="ignore".',
    "loop": "Let it come to rest, or wait longer with hang_after=...",
    "signal": "Send the signal, or cancel who waits for it.",
}


class Ending:
    """Ends whatever waits in vain.

    Parameters:
        home: ident of the thread that the test runs in.
    """

    def __init__(self, home: int) -> None:
        self.home = home
        self.root: Any = None
        self.error: FakeClockError | None = None
        self.struck: list[Any] = []

    def verdict(self, time: VirtualTime, why: Wait | None) -> None:
        """End the test: time can never move again.

        Raises:
            FakeClockError: there is no task through which it could be told.
        """
        if self.error is None:
            self.error = error_of(time, why)
        error = self.error
        victims = self._victims(time)
        if not victims:
            self._told(error)
            raise error
        for task in victims:
            self.struck.append(task)
            strike(task)

    def _victims(self, time: VirtualTime) -> list[Any]:
        """Return the tasks that are cancelled so that the test ends; each only once."""
        root = self.root
        if root is not None and not root.done():
            return [] if root in self.struck else [root]
        if threading.get_ident() == self.home:
            driver = self._here(time)
            main = None if driver is None else running.main_of(driver.loop)
            if main is None or main in self.struck:
                return []
            main.add_done_callback(lambda _: self._come_up(driver))
            return [main]
        found = [task for loop in loops_of(time) for task in asyncio_.tasks_of(loop)]
        return [task for task in found if task not in self.struck]

    def _here(self, time: VirtualTime) -> Any:
        """Return the driver of the loop that the calling thread runs."""
        own = asyncio_.running_loop()
        if own is None:
            return None
        return next((p for p in time.participants if getattr(p, "loop", None) is own), None)

    def _come_up(self, driver: Any) -> None:
        """Raise the error out of the run of a loop, now that its main task has cleaned up."""
        error = self.error
        if error is not None:
            self._told(error)
            driver.raise_next(error)

    def _told(self, error: FakeClockError) -> None:
        """Note that an error is told by being raised, in the thread of the test."""
        if threading.get_ident() == self.home:
            self.error = None

    def take(self, raised: BaseException | None) -> FakeClockError | None:
        """Return the error that must be raised at the border of the test, in place of its cancellation.

        Parameters:
            raised: what the test has raised by itself; it stays, unless it is our cancellation.
        """
        error, self.error = self.error, None
        struck, self.struck = self.struck, []
        root = self.root
        if root in struck:
            root.uncancel()
        if error is None or raised is error:
            return None
        if raised is None or is_cancelled(raised):
            return error
        raised.add_note(f"fake_clock: {type(error).__name__}: {error}")
        return None


def is_cancelled(error: BaseException) -> bool:
    """Tell whether an exception says no more than that something was cancelled."""
    import concurrent.futures

    return isinstance(error, asyncio.CancelledError | concurrent.futures.CancelledError)


def strike(task: Any) -> None:
    """Cancel a task, in whatever thread its loop runs."""
    loop = asyncio_.loop_of(task)
    if asyncio_.running_loop() is loop or not loop.is_running():
        task.cancel(MESSAGE)
    else:
        loop.call_soon_threadsafe(task.cancel, MESSAGE)


def loops_of(time: VirtualTime) -> Iterator[Any]:
    """Yield the loops that take part in a virtual time."""
    for participant in time.participants:
        loop = getattr(participant, "loop", None)
        if loop is not None:
            yield loop


def error_of(time: VirtualTime, why: Wait | None) -> FakeClockError:
    """Return what is told: the sort of end, who waits for what, and what to do."""
    if why is None or why.cause in ("listener", "signal", "waiter"):
        return DeadlockError(deadlock(time, why))
    if why.cause == "strict":
        return TimeWentReal(why.text)
    if why.cause == "livelock":
        return LivelockError(f"{why.text}\n{waiting(time)}".rstrip())
    limit = f"{why.limit:g} s" if why.limit is not None else "some time"
    text = f"time has stood for {limit} of real time, because {why.text}."
    return ExternalWorkTimeout(f"{text} {CURES.get(why.cause, '')}\n{waiting(time)}".rstrip())


def deadlock(time: VirtualTime, why: Wait | None) -> str:
    """Say that nothing can ever run again, and why."""
    due = time.due()
    if not time.auto and due < NEVER:
        wait = due - time.now
        head = (
            f"nobody moves the clock: auto is off, the next timer is due in {wait:g} s, and nothing else can "
            "run. Await clock.advance(...) from a task that is not waiting for it, or set clock.auto = True."
        )
    else:
        head = "nothing can run: no timer is due and nothing outside is at work, so this would wait for ever."
    more = f" Only {why.text}." if why is not None else ""
    return f"{head}{more}\n{waiting(time)}".rstrip()


def waiting(time: VirtualTime) -> str:
    """Return what every task of the loops waits for, as lines."""
    try:
        sight = sight_of(time)
        lines = [*sight.tree(sight.tasks, set()), *sight.cycles()]
        lines += [line for run in time.participants for line in getattr(run, "waits", list)()]
    except Exception:  # noqa: BLE001 -- the error is told all the same
        return ""
    rest = len(sight.places) - MOST_TASKS
    return "\n".join(lines + [f"  ... and {rest} more tasks"] * (rest > 0))


def sight_of(time: VirtualTime) -> Any:
    """Return a look at the tasks of all loops."""
    from pytest_taskleak.engine.sights import Sight

    every = [task for loop in loops_of(time) for task in asyncio_.tasks_of(loop)]
    tasks = [task for task in every if not anyio_.hands_over(task)]
    return Sight(tasks[:MOST_TASKS], tasks[MOST_TASKS:], root=os.getcwd())
