"""The public API as users write it: read by the type checkers, never run."""

from __future__ import annotations

import asyncio
from typing import assert_type

import pytest_taskleak
from pytest_taskleak import (
    Birth,
    Finding,
    Frame,
    LeakError,
    LeakGroup,
    Owner,
    TaskLeak,
    Taskleak,
    TaskleakWarning,
    explain_task,
    no_leaks,
)

assert_type(pytest_taskleak.__version__, str)


def blocks() -> None:
    with no_leaks():
        pass
    with no_leaks(detect=["task", "timer"], allow=["task:app.*"], grace=0.5, mode="warn"):
        pass
    with no_leaks(mode="loud"):  # type: ignore[arg-type]
        pass


async def async_blocks() -> None:
    async with no_leaks(allow=("TL201",)):
        pass


@no_leaks()
def twice(number: int) -> int:
    return 2 * number


@no_leaks(grace=1)
async def later(number: int, *, name: str = "") -> str:
    return name * number


async def decorated_functions_keep_their_types() -> None:
    assert_type(twice(2), int)
    assert_type(await later(2, name="a"), str)
    twice("2")  # type: ignore[arg-type]


def explanations(task: asyncio.Task[int], taskleak: Taskleak) -> None:
    assert_type(explain_task(task), str)
    assert_type(taskleak.explain(task), str)
    explain_task("task")  # type: ignore[arg-type]


def facts(error: LeakError) -> None:
    finding = error.finding
    assert_type(finding, Finding)
    assert_type(finding.code, str)
    assert_type(finding.kind, str)
    assert_type(finding.owner, Owner)
    assert_type(finding.owner.name, str)
    assert_type(finding.birth, Birth)
    assert_type(finding.birth.frames, tuple[Frame, ...])
    finding.kind = "thread"  # type: ignore[misc]


def handlers() -> None:
    try:
        blocks()
    except* LeakError as group:
        assert_type(group, ExceptionGroup[LeakError])
    try:
        blocks()
    except LeakGroup as group:
        for error in group.exceptions:
            if isinstance(error, LeakError):
                facts(error)


def classes() -> tuple[type[BaseException], ...]:
    return TaskLeak, TaskleakWarning
