"""Random programs of children, errors and cancellations, which run in any sort of task group."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hypothesis import strategies as st

LONG = 60
"""Turns after which all gates open, so that every program ends."""


class Odd(BaseException):
    """An error that is no `Exception`."""


ERRORS: dict[str, type[BaseException]] = {"value": ValueError, "key": KeyError, "odd": Odd}


@dataclass(frozen=True)
class Pause:
    """Let others run."""

    turns: int


@dataclass(frozen=True)
class Fail:
    """Raise an error."""

    error: str


@dataclass(frozen=True)
class GiveUp:
    """Raise `CancelledError`, asked by nobody."""


@dataclass(frozen=True)
class Wait:
    """Wait until a gate is open."""

    gate: int


@dataclass(frozen=True)
class Open:
    """Open a gate."""

    gate: int


@dataclass(frozen=True)
class Cancel:
    """Cancel one of the tasks made so far, the own and those above included."""

    which: int


@dataclass(frozen=True)
class Await:
    """Await one of the own children."""

    which: int


@dataclass(frozen=True)
class Spawn:
    """Make a child, in the innermost group or in one further out."""

    up: int
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Grouped:
    """Enter a group; perhaps keep the exception group that it raises."""

    catch: bool
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Guarded:
    """When cancelled, clean up, and perhaps keep the cancellation."""

    swallow: bool
    body: tuple[Statement, ...]
    cleanup: tuple[Statement, ...]


Statement: TypeAlias = Pause | Fail | GiveUp | Wait | Open | Cancel | Await | Spawn | Grouped | Guarded


@dataclass(frozen=True)
class Program:
    """What the main task does, and at which turns it is cancelled from outside."""

    body: tuple[Statement, ...]
    cancels: frozenset[int]


def bodies(statement: st.SearchStrategy[Statement]) -> st.SearchStrategy[tuple[Statement, ...]]:
    return st.lists(statement, max_size=5).map(tuple)


def simple() -> st.SearchStrategy[Statement]:
    small = st.integers(0, 3)
    return st.one_of(
        st.builds(Pause, st.integers(1, 3)),
        st.builds(Pause, st.just(1)),
        st.builds(Fail, st.sampled_from(sorted(ERRORS))),
        st.builds(GiveUp),
        st.builds(Wait, small),
        st.builds(Open, small),
        st.builds(Cancel, st.integers(0, 7)),
        st.builds(Await, small),
    )


def nested(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    body = bodies(inner)
    return st.one_of(
        st.builds(Spawn, st.sampled_from((0, 0, 0, 1)), body),
        st.builds(Spawn, st.just(0), body),
        st.builds(Grouped, st.booleans(), body),
        st.builds(
            Guarded, st.sampled_from((False, False, True)), body, st.lists(simple(), max_size=2).map(tuple)
        ),
    )


def programs() -> st.SearchStrategy[Program]:
    """Return programs whose main task is a group."""
    statement = st.recursive(simple(), nested, max_leaves=30)
    # A list of plain statements has no child: what makes a program is spawned on purpose.
    child = st.builds(Spawn, st.just(0), bodies(statement))
    group = st.builds(Grouped, st.booleans(), st.lists(st.one_of(child, statement), max_size=7).map(tuple))
    return st.builds(
        Program,
        st.lists(st.one_of(group, statement), min_size=1, max_size=2).map(lambda rest: (*rest,))
        | group.map(lambda one: (one,)),
        st.frozensets(st.integers(0, 12), max_size=2),
    )


def shape(error: BaseException | None, depth: int = 4) -> Any:
    """Return what can be compared of an error: types, messages, and what it holds."""
    if error is None or not depth:
        return None
    inner = (
        [shape(each, depth + 1) for each in error.exceptions] if isinstance(error, BaseExceptionGroup) else []
    )
    return (
        type(error).__name__,
        error.args[0] if isinstance(error, BaseExceptionGroup) else error.args,
        inner,
        error.__suppress_context__,
        shape(error.__cause__, depth - 1),
        shape(error.__context__, depth - 1),
        getattr(error, "__notes__", None),
    )


Child: TypeAlias = Callable[[Any, Coroutine[Any, Any, str], str], asyncio.Task[Any]]


@dataclass
class Run:
    """One run of a program.

    Parameters:
        make: makes a group.
        child: makes a child in a group, where that is not `create_task` with a name.
    """

    make: Callable[[], asyncio.TaskGroup]
    child: Child | None = None
    log: list[Any] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    groups: list[asyncio.TaskGroup] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    over: bool = False

    def gate(self, number: int) -> asyncio.Event:
        made = self.gates.setdefault(number, asyncio.Event())
        if self.over:
            made.set()
        return made

    def note(self, who: str, *what: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.log.append((who, task.cancelling(), *what))

    async def whole(self, program: Program) -> list[Any]:
        """Run a program to its end; return all that can be seen of it."""
        loop = asyncio.get_running_loop()
        said: list[Any] = []
        loop.set_exception_handler(
            lambda _, c: said.append((c["message"].split()[0], shape(c.get("exception"))))
        )
        main = loop.create_task(self.actor("main", (), program.body), name="main")
        self.tasks.append(main)
        turn = 0
        while not main.done():
            if turn in program.cancels:
                main.cancel(f"turn {turn}")
            if turn == LONG:
                self.over = True
                for gate in self.gates.values():
                    gate.set()
            await asyncio.sleep(0)
            turn += 1
            assert turn < 50 * LONG, "the program does not end"
        left = sorted(task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()})
        ends = [(task.get_name(), *self.end(task), task.cancelling()) for task in self.tasks]
        return [self.log, ends, left, said, turn]

    async def actor(
        self, who: str, groups: tuple[asyncio.TaskGroup, ...], body: tuple[Statement, ...]
    ) -> str:
        self.note(who, "begins")
        own: list[asyncio.Task[Any]] = []
        try:
            await self.block(who, groups, own, body)
        except BaseException as error:
            self.note(who, "raises", shape(error))
            raise
        self.note(who, "ends")
        return who

    async def block(
        self,
        who: str,
        groups: tuple[asyncio.TaskGroup, ...],
        own: list[asyncio.Task[Any]],
        body: tuple[Statement, ...],
    ) -> None:
        for statement in body:
            await self.step(who, groups, own, statement)

    async def step(
        self,
        who: str,
        groups: tuple[asyncio.TaskGroup, ...],
        own: list[asyncio.Task[Any]],
        statement: Statement,
    ) -> None:
        match statement:
            case Pause(turns):
                for _ in range(turns):
                    await asyncio.sleep(0)
            case Fail(error):
                raise ERRORS[error](who)
            case GiveUp():
                raise asyncio.CancelledError(who)
            case Wait(gate):
                await self.gate(gate).wait()
            case Open(gate):
                self.gate(gate).set()
            case Cancel(which):
                self.note(who, "cancels", self.tasks[which % len(self.tasks)].cancel(who))
            case Await(which):
                if own:
                    self.note(who, "gets", await self.result(own[which % len(own)]))
            case Spawn(up, body):
                self.spawn(who, groups, own, up, body)
            case Grouped(catch, body):
                await self.grouped(who, groups, own, catch, body)
            case Guarded(swallow, body, cleanup):
                try:
                    await self.block(who, groups, own, body)
                except asyncio.CancelledError as error:
                    self.note(who, "cleans up", shape(error))
                    await self.block(who, groups, own, cleanup)
                    if not swallow:
                        raise
        self.note(who, type(statement).__name__)

    def end(self, task: asyncio.Task[Any]) -> tuple[str, Any]:
        if self.child and end(task)[0] == "error" and isinstance(task.exception(), Exception):
            return "completed", None
        return end(task)

    async def result(self, task: asyncio.Task[Any]) -> Any:
        if self.child is None:
            return await task
        try:
            return await task
        except Exception:  # noqa: BLE001 -- the one sort of child hides it, the other does not
            return None

    def spawn(
        self,
        who: str,
        groups: tuple[asyncio.TaskGroup, ...],
        own: list[asyncio.Task[Any]],
        up: int,
        body: tuple[Statement, ...],
    ) -> None:
        if not groups:
            return
        group = groups[max(0, len(groups) - 1 - up)]
        name = f"{who}.{next(self.numbers)}"
        coro: Coroutine[Any, Any, str] = self.actor(name, groups, body)
        try:
            task = self.child(group, coro, name) if self.child else group.create_task(coro, name=name)
        except RuntimeError as error:
            coro.close()  # before 3.13 asyncio does not
            self.note(who, "is refused", str(error).rpartition("> ")[2])
            return
        own.append(task)
        self.tasks.append(task)

    async def grouped(
        self,
        who: str,
        groups: tuple[asyncio.TaskGroup, ...],
        own: list[asyncio.Task[Any]],
        catch: bool,
        body: tuple[Statement, ...],
    ) -> None:
        try:
            async with self.make() as group:
                self.groups.append(group)
                await self.block(who, (*groups, group), own, body)
                self.note(who, "is through")
        except BaseException as error:
            self.note(who, "leaves with", shape(error))
            if not catch or not isinstance(error, BaseExceptionGroup):
                raise
        self.note(who, "leaves")


def end(task: asyncio.Task[Any]) -> tuple[str, Any]:
    """Return what became of a task."""
    if not task.done():
        return "pending", None
    if task.cancelled():
        return "cancelled", None
    error = task.exception()
    return ("completed", task.result()) if error is None else ("error", shape(error))
