"""How are the failures of a group's tasks counted, told and never lost?"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_taskleak.adapt import exceptions
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.groups.events import tell

MOST_NAMES = 1_000
"""Names that are counted each; further ones are counted together, so that names with numbers cannot grow."""
OTHERS = "(other names)"
MOST_KEPT = 10
"""Failed tasks that are kept until somebody asks; further ones are counted, and were logged like all."""
DEGRADED = 100
"""Failures from which on a service is called degraded, where nothing else is said."""

BOOKS: weakref.WeakSet[Failures]
"""The books that are in use, so that each test begins with empty ones."""


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """A task of a group that has failed.

    Parameters:
        name: the task's name.
        exception: what it raised.
        born: where it was made, as `path:line`.
    """

    name: str
    exception: BaseException
    born: str


OnError = Callable[[TaskFailure], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the tasks of a group fare.

    Parameters:
        status: `degraded` from the threshold on, else `ok`.
        total: how many tasks have failed.
        by_task: how many have failed, by their names.
    """

    status: Literal["ok", "degraded"]
    total: int
    by_task: dict[str, int] = field(default_factory=dict)


class Failures:
    """The failures of one group.

    Parameters:
        on_error: called once for each failure; what it raises is logged.
    """

    def __init__(self, on_error: OnError | None) -> None:
        self._on_error = on_error
        self._counts: dict[str, int] = {}
        self._unasked: list[tuple[TaskFailure, Task]] = []
        self._more = 0
        BOOKS.add(self)

    def add(self, failure: TaskFailure, task: Task | None) -> None:
        """Count a failure.

        Parameters:
            failure: what has failed.
            task: the task, if nobody else is told of its failure.
        """
        key = failure.name if failure.name in self._counts or len(self._counts) < MOST_NAMES else OTHERS
        self._counts[key] = self._counts.get(key, 0) + 1
        event = "task_failed" if task is None else "task_failed_alone"
        tell(event, f"task {failure.name!r} failed", failure=failure)
        if self._on_error is not None:
            if task is not None:
                task.exception()  # asked for: the callback is told
            self._call(self._on_error, failure)
        elif task is not None:
            self._keep(failure, task)

    def _keep(self, failure: TaskFailure, task: Task) -> None:
        if len(self._unasked) >= MOST_KEPT:
            self._unasked = [entry for entry in self._unasked if unretrieved(entry[1])]
        if len(self._unasked) < MOST_KEPT:
            self._unasked.append((failure, task))
        else:
            self._more += 1
            task.exception()

    def _call(self, on_error: OnError, failure: TaskFailure) -> None:
        try:
            on_error(failure)
        except Exception as error:  # noqa: BLE001 -- the user's callback must not hurt the loop
            told = TaskFailure(failure.name, error, failure.born)
            tell("on_error_failed", f"on_error failed for task {failure.name!r}", failure=told)

    def counts(self) -> dict[str, int]:
        """Return how many have failed, by name; who looks has been told."""
        self._asked()
        return dict(self._counts)

    def total(self) -> int:
        """Return how many have failed."""
        return sum(self._counts.values())

    def health(self, degraded_from: int) -> Health:
        """Return how the tasks fare."""
        total = self.total()
        return Health(
            status="degraded" if total >= degraded_from else "ok", total=total, by_task=dict(self._counts)
        )

    def reset(self) -> None:
        """Begin anew."""
        self._asked()
        self._counts.clear()

    def unasked(self) -> tuple[list[TaskFailure], int]:
        """Return failures that nobody was told of, the oldest first, and how many more; forget that."""
        found = [failure for failure, task in self._unasked if unretrieved(task)]
        more = self._more if found else 0  # who asked for those that are known, did for the others
        self._asked()
        return found, more

    def forget(self) -> None:
        """Begin anew for another test, without asking for what nobody asked for: it stays lost."""
        self._unasked.clear()
        self._counts.clear()
        self._more = 0

    def _asked(self) -> None:
        for _, task in self._unasked:
            task.exception()
        self._unasked.clear()
        self._more = 0


def begin_anew() -> None:
    """Let every group count anew, for another test."""
    for books in list(BOOKS):
        books.forget()


def unretrieved(task: Any) -> bool:
    """Tell whether nobody has asked a failed task for its exception."""
    return exceptions.unretrieved(task) is not None


BOOKS = weakref.WeakSet()
