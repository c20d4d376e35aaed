"""What can be done with a group that knows every task it started?"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from pytest_taskleak.adapt.asyncio_ import running_loop
from pytest_taskleak.groups import children, current, draining, tree
from pytest_taskleak.groups.durations import count, seconds
from pytest_taskleak.groups.failures import DEGRADED, Health
from pytest_taskleak.groups.making import AT, Making
from pytest_taskleak.groups.records import STRUCTURED, TrackedTask, number_of

T = TypeVar("T")


class TrackedTaskGroup(Making):
    """An `asyncio.TaskGroup` that knows every task it started.

    With `async with` it is a task group like any other: the same errors, the same exception groups.  With
    `open()` it has no block and no body: a child that fails is counted, logged and told to `on_error`, and
    leaves the others alone; it ends with `drain()`.

    Parameters:
        name: how the group is called in reports and errors.
        limit: living tasks that it admits.
        history: ended tasks that `history()` remembers.
        on_error: called once with a `TaskFailure` for each failed task; what it raises is logged.

    Raises:
        TypeError: an argument is of a wrong type.
        ValueError: a number is too small.
    """

    # --- its life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._books.loop = asyncio.get_running_loop()
        self._blocks = True
        current.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        books = self._books
        books.leaving = True
        if books.daemons == len(books.live):
            books.end_daemons()
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            current.leave(self)
            del error  # no circle of the frame and the error

    def open(self) -> TrackedTaskGroup:
        """Open the group without a block, for components with `start()` and `stop()`.

        It is then ended with `drain()`, after which it can be used again, also in another loop.

        Raises:
            RuntimeError: no loop runs here; the group is used with `async with`; or its tasks live in
                another loop.
        """
        loop = running_loop()
        if loop is None:
            raise RuntimeError(f"{self!r}: open() was called where no event loop runs")
        books = self._books
        if self._blocks:
            raise RuntimeError(f"{self!r} is used with 'async with', it cannot be opened as well")
        if books.loop is not loop and books.live and books.loop is not None and not books.loop.is_closed():
            raise RuntimeError(f"{self!r}: open() was called while its tasks live in another event loop")
        if books.loop is not loop:
            books.live.clear()  # of a loop that was closed: they can never end
            books.daemons = 0
        books.loop = loop
        current.enter(self)
        return self

    # --- ways to make tasks ---------------------------------------------------------------------------

    async def gather(
        self, *coros: Coroutine[Any, Any, T], names: Sequence[str] = ()
    ) -> list[children.Fate[T]]:
        """Run children side by side and return what became of each, in the order in which they were given.

        One that fails does not touch the others.  If the caller is cancelled, all of them are, and have ended
        when it goes on.

        Parameters:
            coros: what they run.
            names: their names; as many as there are coroutines.

        Raises:
            ValueError: the number of names is another.
            TaskLimitError: the group has no room for all of them; none was made.
        """
        return await children.gather(self, coros, names, sys._getframe(1))

    def schedule(
        self,
        delay: float,
        function: Callable[..., Coroutine[Any, Any, T]],
        *args: Any,
        name: str | None = None,
    ) -> children.Scheduled[T]:
        """Call a coroutine function after a while, as a child of the group.

        The coroutine is made when it is due; cancelled before, there is none that could be never awaited.

        Parameters:
            delay: seconds of the loop's clock, 0 or more.
            function: the coroutine function.
            args: its arguments.
            name: the task's name; by default the function's qualified name.

        Raises:
            TypeError: it is no coroutine function but a coroutine, or the delay is no number.
            ValueError: the delay is nan, infinite or negative.
        """
        return children.schedule(self, delay, function, args, name, sys._getframe(1))

    def create_task_threadsafe(
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, background: bool = False
    ) -> concurrent.futures.Future[T]:
        """Make a child from another thread; the future gets its result.

        To cancel the future cancels the child.

        Parameters and errors are those of `create_task`; what the group refuses is the future's exception.

        Raises:
            RuntimeError: the group is not in use, or its loop is closed; the coroutine is closed.
        """
        at: Any = {AT: (sys._getframe(1), STRUCTURED)}
        make = functools.partial(self.create_task, coro, name=name, background=background, **at)
        return children.from_thread(make, coro, self._books.loop, repr(self))

    def component(
        self, thing: Any, *, deadline: float = children.DEADLINE
    ) -> AbstractAsyncContextManager[Any]:
        """Run a component with `start()` and `stop()` during a block: `async with group.component(x)`.

        Its `start` gets this group where it takes a `tg`.  At the end `stop` is called, if there is one.

        Parameters:
            thing: the component; its methods may be coroutine functions or not.
            deadline: seconds that `stop` may take.

        Raises:
            TypeError: it has no `start`.
            TimeoutError: `stop` took longer.
        """
        return children.component(self, thing, seconds(deadline, "deadline", "component()"))

    # --- ending -------------------------------------------------------------------------------------

    async def drain(
        self, *, deadline: float, grace: float | None = None, cancel_again: bool = False
    ) -> draining.DrainStats:
        """End every task: wait, then cancel, then give cleanup the time that is left.

        Background tasks are cancelled when no other is left.  Tasks that are born meanwhile are caught, too.
        The calling task, and those that wait for it, are neither waited for nor cancelled.  If this is itself
        cancelled, everything that is left is cancelled at once, and not waited for.

        Parameters:
            deadline: seconds after which this returns in any case; all phases together.
            grace: seconds of those that are kept for cleanup after the cancellation; a third by default.
            cancel_again: whether, after half of the grace, those that are left are cancelled once more, which
                cuts short a cleanup that still runs.

        Raises:
            TypeError: a duration is no number.
            ValueError: a duration is nan, infinite or not above 0, or the grace is longer than the deadline.
            RuntimeError: it is called in another loop than the group's.
        """
        limits = draining.Limits.of(deadline, grace, cancel_again)
        self._here("drain")
        return await draining.drain(self._books, limits, repr(self))

    async def settle(self, timeout: float | None = None, *, cancel_pending: bool = False) -> bool:  # noqa: ASYNC109 -- the name that people look for
        """Wait until every task has ended, apart from the caller's and background tasks; cancel none.

        Parameters:
            timeout: seconds to wait; `None` waits for any time.
            cancel_pending: whether those that are left after the timeout are cancelled.

        Returns:
            Whether all had ended in time.

        Raises:
            TypeError: the timeout is no number.
            ValueError: it is nan, infinite or not above 0.
            RuntimeError: it is called in another loop than the group's.
        """
        bound = None if timeout is None else seconds(timeout, "timeout", "settle()")
        self._here("settle")
        return await draining.settle(self._books, bound, cancel_pending)

    def _here(self, call: str) -> None:
        loop = self._books.loop
        if loop is not None and self._books.live and loop is not running_loop():
            raise RuntimeError(f"{self!r}.{call}() was called in another event loop than the group's")

    # --- failures -----------------------------------------------------------------------------------

    def failures(self) -> dict[str, int]:
        """Return how many tasks have failed, by their names: a copy."""
        return self._books.failures.counts()

    def assert_failures(self, *, max: int = 0) -> None:  # noqa: A002 -- reads well where it is called
        """Say that no more than `max` tasks have failed.

        Raises:
            AssertionError: more have; the message names them.
        """
        most = count(max, "max", "assert_failures()", 0)
        failures = self._books.failures
        if failures.total() > most:
            each = ", ".join(f"{name!r}: {number:,}" for name, number in failures.counts().items())
            allowed = f"at most {most:,} may" if most else "none may"
            raise AssertionError(
                f"{number_of(failures.total(), 'task')} of {self!r} failed, {allowed}: {each}"
            )
        failures.counts()

    def health(self, *, degraded_from: int = DEGRADED) -> Health:
        """Return how the tasks fare, for a health endpoint.

        Parameters:
            degraded_from: failures from which on the status is `degraded`.
        """
        least = count(degraded_from, "degraded_from", "health()", 1)
        return self._books.failures.health(least)

    def reset_failures(self) -> None:
        """Count failures anew."""
        self._books.failures.reset()

    # --- looking ------------------------------------------------------------------------------------

    def tasks(self) -> tuple[TrackedTask, ...]:
        """Return what is known of the living tasks, in the order of their births."""
        return self._books.tasks()

    def history(self) -> tuple[TrackedTask, ...]:
        """Return what is known of the tasks that ended last, the earliest end first."""
        return self._books.history()

    def tree(self) -> str:
        """Return the living tasks as text, each below the one that made it, with what it waits for."""
        return tree.tell(self._books, repr(self))

    def __len__(self) -> int:
        return len(self._books.live)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<TrackedTaskGroup{name}>"
