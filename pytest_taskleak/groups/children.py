"""Which ways to make children do people write again and again?"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from pytest_taskleak.adapt.asyncio_ import Loop, Task
from pytest_taskleak.adapt.task_groups import unasked
from pytest_taskleak.groups.durations import seconds
from pytest_taskleak.groups.later import waiting
from pytest_taskleak.groups.records import Outcome
from pytest_taskleak.groups.refused import dispose

if TYPE_CHECKING:
    from pytest_taskleak.groups.group import TrackedTaskGroup

T = TypeVar("T")
DEADLINE = 10.0
"""Seconds that a component's `stop` may take, where nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate(Generic[T]):
    """What became of one child of `gather()`.

    Parameters:
        name: the child's name.
        outcome: `completed`, `cancelled` or `error`.
        result: what it returned, if it completed.
        exception: what it raised, if it failed.
    """

    name: str
    outcome: Outcome
    result: T | None = None
    exception: BaseException | None = None

    def unwrap(self) -> T:
        """Return the result.

        Raises:
            BaseException: the child's own exception.
            asyncio.CancelledError: it was cancelled.
        """
        if self.exception is not None:
            raise self.exception
        if self.outcome == "cancelled":
            raise asyncio.CancelledError(f"{self.name!r} was cancelled")
        return cast("T", self.result)


async def gather(
    group: TrackedTaskGroup,
    coros: Sequence[Coroutine[Any, Any, T]],
    names: Sequence[str],
    frame: FrameType,
) -> list[Fate[T]]:
    """Run children side by side; see `TrackedTaskGroup.gather`."""
    if names and len(names) != len(coros):
        for coro in coros:
            dispose(coro)
        raise ValueError(f"gather(): {len(coros)} coroutines were given, but {len(names)} names")
    group.make_room(coros)
    labels = list(names) or [getattr(coro, "__qualname__", "a task") for coro in coros]
    tasks: list[asyncio.Task[T]] = []
    try:
        for number, coro in enumerate(coros):
            given = names[number] if names else None
            tasks.append(group.spawn_from(frame, coro, name=given, surfaces=False))
        if tasks:
            await asyncio.wait(tasks)
    except BaseException:
        for coro in coros[len(tasks) :]:
            dispose(coro)
        await end(tasks)
        raise
    return [fate_of(task, label) for task, label in zip(tasks, labels, strict=True)]


async def end(tasks: Sequence[Task]) -> None:
    """Cancel tasks and wait for them, whatever happens meanwhile."""
    for task in tasks:
        task.cancel()
    again = False
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError:
            again = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # the caller's own error, or its cancellation, is what is told
    if again:
        raise asyncio.CancelledError


def fate_of(task: asyncio.Task[T], name: str) -> Fate[T]:
    """Return what became of a child that has ended; its exception counts as told."""
    if task.cancelled():
        return Fate(name=name, outcome="cancelled")
    error = task.exception()
    if error is not None:
        return Fate(name=name, outcome="error", exception=error)
    return Fate(name=name, outcome="completed", result=task.result())


class Scheduled(Generic[T]):
    """A call that is due later.

    Parameters:
        task: the child that waits, and then runs what was scheduled.
        when: the loop's time in seconds at which it is due.
    """

    def __init__(self, task: asyncio.Task[T], when: float, state: list[bool]) -> None:
        self.task = task
        self.when = when
        self._state = state

    def cancel(self) -> bool:
        """Cancel it, due or not; return whether it had not ended."""
        return self.task.cancel()

    @property
    def fired(self) -> bool:
        """Whether the function was called."""
        return bool(self._state)

    def __repr__(self) -> str:
        how = "done" if self.task.done() else "running" if self.fired else f"due at {self.when:g}"
        return f"<Scheduled {self.task.get_name()!r} {how}>"


def schedule(
    group: TrackedTaskGroup,
    delay: object,
    function: Callable[..., Coroutine[Any, Any, T]],
    args: Sequence[Any],
    name: str | None,
    frame: FrameType,
) -> Scheduled[T]:
    """Make the child that waits; see `TrackedTaskGroup.schedule`."""
    given: object = function
    if inspect.iscoroutine(given) or not callable(given):
        dispose(given)
        raise TypeError(
            f"schedule(): takes a coroutine function and its arguments, as schedule(5, notify, user) - got "
            f"{given!r}"
        )
    wait = seconds(delay, "delay", "schedule()", zero=True)
    fired: list[bool] = []

    label = name or getattr(function, "__qualname__", type(function).__qualname__)
    task = group.spawn_from(frame, waiting(function)(wait, fired, function, args), name=label)
    return Scheduled(task, task.get_loop().time() + wait, fired)


def from_thread(
    make: Callable[[], asyncio.Task[T]], coro: Any, loop: Loop | None, name: str
) -> concurrent.futures.Future[T]:
    """Let the group's loop make a child; see `TrackedTaskGroup.create_task_threadsafe`."""
    call = f"{name}.create_task_threadsafe()"
    if loop is None or loop.is_closed():
        dispose(coro)
        state = "the group has not been entered" if loop is None else "the group's event loop is closed"
        raise RuntimeError(f"{call}: {state}")
    result: Handed[T] = Handed()

    def begin() -> None:
        if result.cancelled():
            dispose(coro)
            return
        try:
            task = make()
        except BaseException as error:  # noqa: BLE001 -- it is the future's
            if result.set_running_or_notify_cancel():
                result.set_exception(error)
            return
        result.bind(task)

    try:
        loop.call_soon_threadsafe(begin)
    except RuntimeError:
        dispose(coro)
        raise RuntimeError(f"{call}: the group's event loop is closed") from None
    return result


class Handed(concurrent.futures.Future[T]):
    """The result of a child for another thread; whoever asks for it has been told of a failure."""

    def __init__(self) -> None:
        super().__init__()
        self._child: asyncio.Task[T] | None = None

    def bind(self, task: asyncio.Task[T]) -> None:
        """Take over what comes of a child, and let a cancellation reach it."""
        self._child = task
        task.add_done_callback(self._take)
        self.add_done_callback(self._pass_on)

    def _take(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.cancel()
            self.set_running_or_notify_cancel()
        elif self.set_running_or_notify_cancel():
            error = unasked(task)
            if error is None:
                self.set_result(task.result())
            else:
                self.set_exception(error)

    def _pass_on(self, _: Any) -> None:
        task = self._child
        if self.cancelled() and task is not None and not task.done():
            with contextlib.suppress(RuntimeError):  # its loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)

    def result(self, timeout: float | None = None) -> T:
        """Return the child's result; see `concurrent.futures.Future.result`."""
        try:
            return super().result(timeout)
        finally:
            self._told()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the child's exception; see `concurrent.futures.Future.exception`."""
        try:
            return super().exception(timeout)
        finally:
            self._told()

    def _told(self) -> None:
        """Note that somebody was told what came of the child."""
        task = self._child
        if self.done() and task is not None and task.done() and not task.cancelled():
            task.exception()


@contextlib.asynccontextmanager
async def component(group: TrackedTaskGroup, thing: Any, deadline: float) -> AsyncIterator[Any]:
    """Start a component, and stop it at the end; see `TrackedTaskGroup.component`."""
    start = getattr(thing, "start", None)
    if not callable(start):
        raise TypeError(f"component(): takes something with start() and stop() - got {thing!r}")
    begun = start(tg=group) if takes_group(start) else start()
    if inspect.isawaitable(begun):
        await begun
    try:
        yield thing
    finally:
        stop = getattr(thing, "stop", None)
        if callable(stop):
            async with asyncio.timeout(deadline):
                stopped = stop()
                if inspect.isawaitable(stopped):
                    await stopped


def takes_group(start: Callable[..., Any]) -> bool:
    """Tell whether a `start` takes a `tg`."""
    try:
        parameters = inspect.signature(start).parameters
    except (TypeError, ValueError):
        return False
    return "tg" in parameters
