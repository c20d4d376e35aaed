"""Is a `TrackedTaskGroup` in every random program what an `asyncio.TaskGroup` is?

Compared are results, the order of all events, exception groups down to their leaves with causes and contexts,
counts of cancellations, and what the loop's exception handler was told.  asyncio cancels the children of a group
in the order of a set, by address: here tasks hash by their number, so that both have the same.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings

from pytest_taskleak import TrackedTaskGroup

sys.path.insert(0, str(Path(__file__).resolve().parent))

from group_programs import (
    Await,
    Cancel,
    Child,
    Fail,
    GiveUp,
    Grouped,
    Guarded,
    Open,
    Pause,
    Program,
    Run,
    Spawn,
    Wait,
    end,
    programs,
)

Make = Callable[[], asyncio.TaskGroup]
QUICK: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
NUMBERS: Iterator[int] = itertools.count()


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Let nobody log errors of which only the program knows."""
    loggers = [logging.getLogger(name) for name in ("asyncio", "pytest_taskleak.groups")]
    for logger in loggers:
        logger.disabled = True
    yield
    for logger in loggers:
        logger.disabled = False


class Numbered(asyncio.Task[Any]):
    """A task that hashes by its number."""

    number: int

    def __new__(cls, *args: Any, **options: Any) -> Self:
        made = super().__new__(cls)
        made.number = next(NUMBERS)
        return made

    def __hash__(self) -> int:
        return self.number


def lazy(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Numbered:
    return Numbered(coro, loop=loop, **options)


def eager(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Numbered:
    return Numbered(coro, loop=loop, **{"eager_start": True, **options})


def observed(
    make: Make, program: Program, child: Child | None = None, *, factory: Any, uvloop: bool = False
) -> tuple[Run, list[Any]]:
    """Run a program in groups of a sort; return the run and all that was seen of it."""
    global NUMBERS
    NUMBERS = itertools.count()
    made = importlib.import_module("uvloop").new_event_loop if uvloop else None
    with asyncio.Runner(loop_factory=made) as runner:
        runner.get_loop().set_task_factory(factory)
        run = Run(make, child)
        return run, runner.run(run.whole(program))


def books_agree(run: Run) -> None:
    """Say that what the groups have written down is what became of the tasks."""
    written: Counter[tuple[str, str | None]] = Counter()
    failed: Counter[str] = Counter()
    for group in run.groups:
        assert isinstance(group, TrackedTaskGroup)
        assert group.tasks() == ()
        written.update((task.name, task.outcome) for task in group.history())
        failed.update(group.failures())
    children = [task for task in run.tasks if task.get_name() != "main"]
    assert written == Counter((task.get_name(), end(task)[0]) for task in children)
    assert failed == Counter(task.get_name() for task in children if end(task)[0] == "error")


def bare(group: asyncio.TaskGroup, coro: Any, name: str) -> asyncio.Task[Any]:
    """Make a child of which nothing is said: the usual one, that is noted where asyncio makes it."""
    task = group.create_task(coro)
    task.set_name(name)
    return task


def bare_books_agree(run: Run) -> None:
    """Say that each child without a name is in the books by that of its coroutine, with its end."""
    children = [task for task in run.tasks if task.get_name() != "main"]
    groups: list[Any] = run.groups
    history = [task for group in groups for task in group.history()]
    assert not any(group.tasks() for group in groups)
    assert {task.name for task in history} <= {"Run.actor"}
    assert Counter(task.outcome for task in history) == Counter(end(task)[0] for task in children)


def same(program: Program, child: Child | None = None, **way: Any) -> None:
    """Say that a program does the same in both."""
    _, theirs = observed(asyncio.TaskGroup, program, child, **way)
    run, ours = observed(TrackedTaskGroup, program, child, **way)
    assert ours == theirs
    (bare_books_agree if child else books_agree)(run)
    for kind in {line[2] for line in theirs[0]} & {"is refused", "leaves with", "cleans up"}:
        event(kind)


WAYS: dict[str, dict[str, Any]] = {
    "lazy": {"factory": lazy},
    "eager": {"factory": eager},
    "uvloop": {"factory": lazy, "uvloop": True},
}


def each_way() -> Iterator[Any]:
    for name in WAYS:
        marks = []
        if name == "eager" and sys.version_info < (3, 12):
            marks = [pytest.mark.skip(reason="tasks are not eager before Python 3.12")]
        if name == "uvloop" and importlib.util.find_spec("uvloop") is None:
            marks = [pytest.mark.skip(reason="uvloop is not installed")]
        yield pytest.param(name, marks=marks)


@pytest.mark.parametrize("way", list(each_way()))
@settings(max_examples=120, **QUICK)
@given(program=programs())
@example(Program((Grouped(False, (Spawn(0, (Wait(0),)), Spawn(0, (Pause(1), Fail("value"))))),), frozenset()))
@example(Program((Grouped(True, (Spawn(0, (Fail("odd"),)), Fail("key"))),), frozenset({0, 2})))
@example(Program((Grouped(True, (Spawn(0, (GiveUp(),)), Wait(1))),), frozenset({3})))
@example(
    Program(
        (
            Grouped(
                False,
                (
                    Spawn(0, (Guarded(False, (Wait(0),), (Spawn(0, ()), Fail("key"))),)),
                    Spawn(0, (Grouped(False, (Spawn(1, (Wait(2),)), Fail("value"))),)),
                    Await(0),
                    Open(0),
                    Cancel(1),
                ),
            ),
        ),
        frozenset({1}),
    )
)
def test_a_program_does_the_same(way: str, program: Program) -> None:
    same(program, **WAYS[way])


@pytest.mark.parametrize("way", list(each_way()))
@settings(max_examples=120, **QUICK)
@given(program=programs())
def test_a_program_without_names_does_the_same(way: str, program: Program) -> None:
    same(program, bare, **WAYS[way])


def spawned(group: Any, coro: Any, name: str) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = group.spawn(coro, name=name)
    return task


class Shielding:
    """Makes children that catch all their exceptions.

    Attributes:
        unlike: whether one caught an exception with a cancellation still to come. It then ends as cancelled, one
            that raises does not.
    """

    def __init__(self) -> None:
        self.unlike = False

    def __call__(self, group: asyncio.TaskGroup, coro: Any, name: str) -> asyncio.Task[Any]:
        within = self.within(coro)
        try:
            task = group.create_task(within, name=name)
        except RuntimeError:
            within.close()
            raise
        task.add_done_callback(lambda _: coro.close())
        return task

    async def within(self, coro: Any) -> Any:
        try:
            return await coro
        except Exception:  # noqa: BLE001 -- its failure is its own
            task: Any = asyncio.current_task()
            self.unlike |= task._must_cancel
            return None


@pytest.mark.parametrize("way", list(each_way()))
@settings(max_examples=60, **QUICK)
@given(program=programs())
def test_spawn_is_a_child_that_keeps_its_failure(way: str, program: Program) -> None:
    """`spawn` does to the rest of a program what a child does that catches all its exceptions."""
    shielding = Shielding()
    _, theirs = observed(asyncio.TaskGroup, program, shielding, **WAYS[way])
    run, ours = observed(TrackedTaskGroup, program, spawned, **WAYS[way])
    books_agree(run)
    assume(not shielding.unlike)
    assert ours == theirs


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["child", "body"])
def test_an_exit_is_the_same(error: type[BaseException], where: str) -> None:
    """An exit leaves the loop at once: what follows is the runner's doing."""

    def seen(make: Make) -> list[Any]:
        log: list[Any] = []

        async def child(name: str, turns: int) -> None:
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
                if name == "exits":
                    raise error("7")
                await asyncio.Event().wait()
            except BaseException as raised:
                log.append((name, repr(raised)))
                raise

        async def main() -> None:
            try:
                async with make() as group:
                    group.create_task(child("waits", 1))
                    group.create_task(child("exits" if where == "child" else "waits too", 2))
                    await child("exits" if where == "body" else "body", 2)
            except BaseException as raised:
                log.append(("main", repr(raised)))
                raise

        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_task_factory(lazy)
                runner.run(main())
        except BaseException as raised:  # noqa: BLE001 -- an exit is none that pytest may see
            log.append(("runner", repr(raised)))
        return log

    global NUMBERS
    NUMBERS = itertools.count()
    theirs = seen(asyncio.TaskGroup)
    NUMBERS = itertools.count()
    assert seen(TrackedTaskGroup) == theirs
    assert theirs[-1] == ("runner", f"{error.__name__}('7')")
