"""What is written down of one task of a group?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import CodeType
from typing import Final, Literal, NamedTuple, TypeAlias

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.adapt.code import STDLIB, line_of

Outcome = Literal["completed", "cancelled", "error"]
State = Literal["running", "pending", "cancelling", "done"]


STRUCTURED, CONTAINED, TOLD = range(3)
"""Whom a failure concerns: the group; the task alone; the task alone, and somebody is told of it."""


class Record(NamedTuple):
    """The entry of one task, as it is read; a plain tuple in this order is what is written for each."""

    number: int
    code: CodeType
    lasti: int
    name: str | None
    parent: int
    parent_name: str | None
    background: bool
    contained: int
    began: float

    @property
    def born(self) -> str:
        """Where it was made, as `path:line`."""
        return place(self.code, self.lasti)


Flat: TypeAlias = Record
"""A plain tuple of what a `Record` has: to make the named one costs three times as much."""
NUMBER: Final = 0
NAME: Final = 3
PARENT: Final = 4
BACKGROUND: Final = 6
BEGAN: Final = 8
NOBODY: Flat = Record(0, (lambda: None).__code__, 0, None, 0, None, False, False, 0.0)
"""The parent of a task that none of the group's has made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedTask:
    """What a group knows of one of its tasks.

    Parameters:
        name: the name that it was given; else the qualified name of its coroutine.
        born: where it was made, as `path:line`.
        born_in: the qualified name of the function that made it.
        parent: the name of the task of the group that made it; `None` if another did.
        state: `running`, `pending`, `cancelling` (asked to end, and not ended) or `done`.
        outcome: `completed`, `cancelled` or `error`; `None` while it lives.
        duration: seconds of the loop's clock that it has lived.
        background: whether it was declared to run until the group ends.
    """

    name: str
    born: str
    born_in: str
    parent: str | None
    state: State
    outcome: Outcome | None
    duration: float
    background: bool


def living(flat: Flat, task: Task, now: float) -> TrackedTask:
    """Return what is known of a task that lives; `now` is the loop's time."""
    return _view(Record(*flat), state_of(task), None, max(0.0, now - flat[BEGAN]))


def past(flat: Flat, outcome: Outcome, ended: float) -> TrackedTask:
    """Return what is known of a task that ended at a time of the loop."""
    return _view(Record(*flat), "done", outcome, ended - flat[BEGAN])


def _view(record: Record, state: State, outcome: Outcome | None, duration: float) -> TrackedTask:
    return TrackedTask(
        name=str(record.name),
        born=record.born,
        born_in=record.code.co_qualname,
        parent=record.parent_name,
        state=state,
        outcome=outcome,
        duration=duration,
        background=record.background,
    )


def state_of(task: Task) -> State:
    """Return in which state a task is."""
    if task.done():
        return "done"
    if task.cancelling():
        return "cancelling"
    return "running" if asyncio_.running_task() is task else "pending"


def place(code: CodeType, lasti: int) -> str:
    """Return `path:line` of an instruction."""
    return f"{shorten(code.co_filename)}:{line_of(code, lasti)}"


def shorten(path: str) -> str:
    """Return a path as a reader in the working directory knows it, or from the standard library on."""
    for root in (os.getcwd(), *STDLIB):
        if path.startswith(root + os.sep):
            return path[len(root) + 1 :]
    return path


def number_of(count: int, one: str) -> str:
    """Return a number with the right form of a word."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"
