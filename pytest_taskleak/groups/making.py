"""How is a child of a group made, admitted, and struck off when it has ended?"""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextvars import Context
from sys import _getframe
from types import FrameType
from typing import Any, NoReturn, TypeVar

from pytest_taskleak.adapt.asyncio_ import Loop, Task
from pytest_taskleak.adapt.task_groups import Noticed, current_task
from pytest_taskleak.groups.books import Books
from pytest_taskleak.groups.durations import count
from pytest_taskleak.groups.events import tell
from pytest_taskleak.groups.failures import OnError, TaskFailure
from pytest_taskleak.groups.records import CONTAINED, STRUCTURED, TOLD, Flat, Outcome, Record
from pytest_taskleak.groups.refused import dispose

T = TypeVar("T")
AT = "_at"
"""The option by which spawning helpers say where a child was born, and that its failure is its own."""
LIMIT = 10_000
"""Living tasks that a group admits, where nothing else is said."""
HISTORY = 1_000
"""Ended tasks that a group remembers, where nothing else is said."""
BUSIEST = 5
"""Birth sites that are named when a group is full."""


class TaskLimitError(RuntimeError):
    """A group has as many living tasks as it admits; the next one was not made, its coroutine is closed."""


class Making(Noticed):
    """The part of a group that makes children."""

    _books: Books

    def __init__(
        self,
        name: str = "",
        *,
        limit: int = LIMIT,
        history: int = HISTORY,
        on_error: OnError | None = None,
    ) -> None:
        super().__init__()
        if on_error is not None and not callable(on_error):
            raise TypeError(f"TrackedTaskGroup: on_error must be callable or None - got {on_error!r}")
        self.name = str(name)
        self.limit = count(limit, "limit", "TrackedTaskGroup", 1)
        self._books = Books(count(history, "history", "TrackedTaskGroup", 0), on_error)
        self._blocks = False  # used with `async with`

    def make(
        self, frame: FrameType, coro: Coroutine[Any, Any, T], background: bool, options: dict[str, Any]
    ) -> asyncio.Task[T]:
        """Make any child, and note it; see `Noticing.make`."""
        books = self._books
        loop = _get_running_loop()
        live = books.live
        if loop is None or loop is not books.loop or len(live) >= self.limit:
            self._refuse(coro, loop, options)
        frame, contained = options.pop(AT, (frame, STRUCTURED))
        parent = live.get(current_task(loop)) or books.opener
        books.total = number = books.total + 1
        named = options["name"] or getattr(coro, "__qualname__", "a task")
        flat: Flat = (  # type: ignore[assignment]  # see `Flat`
            number, frame.f_code, frame.f_lasti, named,
            parent[0], parent[3], background, contained, loop.time(),
        )  # fmt: skip
        opener, books.opener = books.opener, flat
        if contained:
            options["name"] = named  # what is spawned is told by its name alone
        try:
            task: asyncio.Task[T] = self._start(coro, contained, options)
        except BaseException:
            dispose(coro)
            raise
        finally:
            books.opener = opener
        if books.early is flat:
            books.early = None
            return task
        live[task] = flat
        if background or books.busy:
            books.entered(task, flat)
        return task

    def spawn(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        background: bool = False,
    ) -> asyncio.Task[T]:
        """Make a child whose failure is its own: it is counted and told, and nobody else is cancelled.

        The group keeps it alive; who awaits it gets its result, its exception or its cancellation.

        Parameters and errors are those of `create_task`.
        """
        at: Any = {AT: (_getframe(1), CONTAINED)}
        return self.create_task(coro, name=name, context=context, background=background, **at)

    def spawn_from(
        self,
        frame: FrameType,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        surfaces: bool = True,
    ) -> asyncio.Task[T]:
        """Spawn on behalf of a caller: for helpers, so that the birth site is where they were called.

        Parameters:
            frame: the frame that counts as the place of birth, as `_getframe(1)`.
            coro: what it runs.
            name: the task's name.
            context: the context in which it runs.
            surfaces: whether nobody else is told of a failure, so that it must not be lost.
        """
        at: Any = {AT: (frame, CONTAINED if surfaces else TOLD)}
        return self.create_task(coro, name=name, context=context, **at)

    def _start(
        self, coro: Coroutine[Any, Any, T], contained: int, options: dict[str, Any]
    ) -> asyncio.Task[T]:
        """Make a child that the task group is not to see fail, or that is none of its children."""
        if self._blocks:
            start = self.start_contained if contained else self.start
            child: asyncio.Task[T] = start(coro, **options)
            return child
        loop: Any = self._books.loop
        task: asyncio.Task[T] = loop.create_task(coro, **options)
        task.add_done_callback(self.left)
        return task

    def _refuse(self, coro: Any, loop: Loop | None, options: dict[str, Any]) -> NoReturn:
        """Say why a child cannot be made; nothing of it is left."""
        __tracebackhide__ = True
        dispose(coro)
        where = f"{self!r}.{'spawn' if AT in options else 'create_task'}()"
        books = self._books
        if loop is None:
            raise RuntimeError(
                f"{where} was called where no event loop runs; "
                "from another thread use create_task_threadsafe()"
            )
        if books.loop is None:
            raise RuntimeError(f"{where}: the group has not been entered; use 'async with', or open() it")
        if books.loop is not loop:
            raise RuntimeError(f"{where} was called in another event loop than the group's")
        raise self._full(where)

    def make_room(self, coros: Sequence[Any]) -> None:
        """Refuse children that are more than there is room for, all together."""
        if len(self._books.live) + len(coros) > self.limit:
            for coro in coros:
                dispose(coro)
            raise self._full(f"{self!r}: {len(coros):,} children at once")

    def _full(self, what: str) -> TaskLimitError:
        """Return the error that says who has filled the group."""
        records = [Record(*flat) for flat in self._books.live.values()]
        sites = Counter((id(record.code), record.lasti) for record in records)
        told = {(id(record.code), record.lasti): record for record in records}
        busiest = [
            f"  {number:,} x {told[site].born} in {told[site].code.co_qualname}"
            for site, number in sites.most_common(BUSIEST)
        ]
        tell("task_refused", f"{self!r} is full", limit=self.limit)
        made = "; they were made at\n" if busiest else ""
        return TaskLimitError(
            f"{what}: the limit of {self.limit:,} living tasks is reached{made}" + "\n".join(busiest)
        )

    def ended(self, task: Task, cancelled: bool, error: BaseException | None) -> bool:
        """Note the end of a child; for the base class, not to be called."""
        books = self._books
        flat = books.live.pop(task, None) or books.eager()
        loop: Any = books.loop
        seen = True
        outcome: Outcome = "completed"
        if cancelled:
            outcome = "cancelled"
        elif error is not None:
            outcome = "error"
            seen = self._failed(Record(*flat), task, error)
        books.past.append((flat, outcome, loop.time()))
        if books.busy:
            books.struck(task, flat, outcome)
        return seen

    def _failed(self, record: Record, task: Task, error: BaseException) -> bool:
        """Count a failure; return whether the group shall see it."""
        hidden = isinstance(error, Exception) and (record.contained != STRUCTURED or not self._blocks)
        surfaces = hidden and record.contained != TOLD
        failure = TaskFailure(str(record.name), error, record.born)
        self._books.failures.add(failure, task if surfaces else None)
        return not hidden
