"""How does a subclass of `asyncio.TaskGroup` learn of births and ends, and keep a failure from its siblings?

`TaskGroup` has a method that makes a child, and one that is called when a child has ended.  What they do is
done here in their place, for the usual child, so that to note it costs no call more.  Where they are not as
they were on 3.11 to 3.15, a callback and a second task beside each that keeps its failure do the same.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from asyncio import _get_running_loop
from collections.abc import Coroutine
from contextvars import Context
from sys import _getframe
from types import CoroutineType, FrameType, FunctionType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pytest_taskleak.adapt.asyncio_ import Task

_done: Any = vars(asyncio.TaskGroup).get("_on_task_done")
NAMES = frozenset({
    *("_abort", "_aborting", "_base_error", "_errors", "_is_base_error", "_loop", "_on_completed_fut"),
    *("_parent_cancel_requested", "_parent_task", "_tasks", "append", "call_exception_handler", "cancel"),
    *("cancelled", "discard", "done", "exception", "future_discard_from_awaited_by", "futures", "set_result"),
})  # fmt: skip
"""What the method uses that is called at an end, on 3.11 to 3.15; one that uses more does the unknown."""
BIRTH = frozenset({
    *("RuntimeError", "_aborting", "_entered", "_exiting", "_loop", "_on_task_done", "_parent_task"),
    *("_set_task_name", "_tasks", "add", "add_done_callback", "cancel", "close", "create_task", "done"),
    *("future_add_to_awaited_by", "futures", "tasks"),
})  # fmt: skip
"""The same of the method that makes a child."""


def names_in(method: str) -> frozenset[str]:
    """Return the names that a method of `asyncio.TaskGroup` uses."""
    code = getattr(vars(asyncio.TaskGroup).get(method), "__code__", None)
    return frozenset(getattr(code, "co_names", "?"))


MAKES = names_in("create_task")
KNOWN = names_in("_on_task_done") <= NAMES and MAKES <= BIRTH and hasattr(asyncio.Task, "_exception")
"""Whether the methods do what is done here in their place."""
_link: Any = getattr(asyncio.futures, "future_add_to_awaited_by", None)
_unlink: Any = getattr(asyncio.futures, "future_discard_from_awaited_by", None)
"""From 3.14 a future knows who waits for it; the group does, for its children."""
_set_name: Any = getattr(asyncio.tasks, "_set_task_name", None)
NAMES_LATER = "_set_task_name" in MAKES and _set_name is not None
"""Up to 3.12 a child gets its name when it is made, and may have run eagerly by then."""
AT_ONCE = "done" in MAKES and _link is None
"""On 3.12 and 3.13 a child that has ended when it is made is struck off at once."""
LATE = "cancel" in MAKES
"""From 3.15 a child that has cancelled the group before it was in it is cancelled, too (gh-155418)."""
_running: Any = getattr(asyncio.tasks, "_current_tasks", None)
current_task: Any = asyncio.current_task
if isinstance(current_task, FunctionType) and type(_running) is dict:
    current_task = _running.get  # 3.11: not in C yet, and looked up for each child

T = TypeVar("T")
DECLARED: weakref.WeakSet[Task] = weakref.WeakSet()
"""The background tasks of a test's group: they may run until the end of their runner."""


class Register(Protocol):
    """Where the children are written down; the usual births and ends without a call for each."""

    live: dict[Any, Any]
    """Child -> its entry: number, code and instruction of birth, name, parent's number and name, whether it
    is one for the background, whom its failure concerns, when it began."""
    total: int
    """Children that were ever made."""
    opener: Any
    """The entry of the one that is being made, while its first step may run."""
    early: Any
    """The entry of the one that has ended while it was made."""
    past: Any
    """Gets the entry, the outcome and the loop's time of each end."""
    busy: bool
    """Whether somebody is to hear of each end: then all are told to `Noticing.ended`."""
    loop: Any

    def eager(self) -> Any:
        """Return the entry of a child that ends before it is in `live`."""
        ...

    def entered(self, task: Task, entry: Any) -> None:
        """Tell who must know of a birth."""
        ...


class Noticing(asyncio.TaskGroup):
    """A task group that notes each child in a register, or leaves it to its subclass to do so."""

    limit: int
    """Living children that it admits."""
    _books: Register
    _blocks = False
    """Whether it is used with `async with`."""
    start: Any = asyncio.TaskGroup.create_task
    """Makes a child, as `create_task` of the base class."""
    start_contained: Any = asyncio.TaskGroup.create_task
    """Makes a child whose failure `ended` will hide."""

    def make(
        self, frame: FrameType, coro: Coroutine[Any, Any, T], background: bool, options: dict[str, Any]
    ) -> asyncio.Task[T]:
        """Make any child, and note it.

        Parameters:
            frame: where it is born.
            coro: what it runs.
            background: whether it may run until the group ends.
            options: what else was said about it, as keywords.
        """
        raise NotImplementedError

    def create_task(  # type: ignore[override]  # of generators, too, says the stub; asyncio refuses them
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        background: bool = False,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Make a child.

        Parameters:
            coro: what it runs; closed where the child is refused.
            name: the task's name.
            context: the context in which it runs.
            background: it runs until the group ends, and is cancelled and awaited then.
            options: what else `asyncio.TaskGroup.create_task` knows.

        Raises:
            TaskLimitError: the group has as many living tasks as it admits.
            RuntimeError: no loop runs here; or the group is not entered, ended, or another loop's.
        """
        return self.make(_getframe(1), coro, background, {"name": name, "context": context, **options})

    def ended(self, task: Task, cancelled: bool, error: BaseException | None) -> bool:
        """Note the end of a child that failed, or of any where the register is busy.

        Returns whether the group shall see how it ended.

        A child that failed and is not to be seen leaves its siblings and the body alone.  With an eager task
        factory this may be called before `start` returns.

        Parameters:
            task: the child.
            cancelled: whether it ended by a cancellation.
            error: what it raised; to look at it here is not to ask for it, which is what asyncio counts.
        """
        raise NotImplementedError

    def left(self, task: Task) -> None:
        """Note that a task has ended that is no child of the group: a callback."""
        cancelled = task.cancelled()
        self.ended(task, cancelled, None if cancelled else unasked(task))


class InPlace(Noticing):
    """Notes the usual child where `asyncio.TaskGroup` makes it, and where that hears of its end."""

    def create_task(  # type: ignore[override]  # as that of the base
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        background: bool = False,
        **options: Any,
    ) -> asyncio.Task[T]:
        register = self._books
        loop: Any = _get_running_loop()
        live = register.live
        group: Any = self
        if (
            (context is not None or options or type(coro) is not CoroutineType)
            or (not self._blocks or loop is not register.loop or len(live) >= self.limit)
            or (group._aborting or (group._exiting and not group._tasks))
        ):
            said = {"name": name, "context": context, **options}
            return self.make(_getframe(1), coro, background, said)
        frame = _getframe(1)
        opener = register.opener
        parent = live.get(current_task(loop)) or opener
        register.total = number = register.total + 1
        register.opener = entry = (
            number, frame.f_code, frame.f_lasti, name or coro.__qualname__,
            parent[0], parent[3], background, 0, loop.time(),
        )  # fmt: skip
        try:
            # What the base class does, from here on; see `NAMES_LATER`, `AT_ONCE` and `LATE`.
            task: asyncio.Task[T]
            if name is None or NAMES_LATER:
                task = loop.create_task(coro)
                if name is not None:
                    _set_name(task, name)
            else:
                task = loop.create_task(coro, name=name)
            if AT_ONCE and task.done():
                self._on_task_done(task)
                register.early = None
                return task
        except BaseException:
            coro.close()
            raise
        finally:
            register.opener = opener
        if _link is not None:
            _link(task, group._parent_task)
        group._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        live[task] = entry
        if background or register.busy:
            register.entered(task, entry)
        if LATE and group._aborting and not task.done():
            task.cancel()
        return task

    def _on_task_done(self, task: Task) -> None:
        register = self._books
        cancelled = task.cancelled()
        error: Any = None if cancelled else task._exception
        if error is not None or register.busy:
            if self.ended(task, cancelled, error) and error is not None:
                _done(self, task)
                return
        else:
            entry = register.live.pop(task, None) or register.eager()
            register.past.append((entry, "cancelled" if cancelled else "completed", register.loop.time()))
        # What the base class does for one that did not fail: a call less for each task.
        group: Any = self
        group._tasks.discard(task)
        if _unlink is not None:
            _unlink(task, group._parent_task)
        waiter = group._on_completed_fut
        if waiter is not None and not group._tasks and not waiter.done():
            waiter.set_result(True)


def unasked(task: Task) -> BaseException | None:
    """Return what a task that was not cancelled has raised, without asking for it where that can be."""
    found: Any = getattr(task, "_exception", task)
    error: BaseException | None = task.exception() if found is task else found
    return error


class Guarding(Noticing):
    """The same by public means only: a child that keeps its failure stands beside the group, guarded."""

    def start(self, coro: Coroutine[Any, Any, Any], **options: Any) -> Task:
        """Make a child."""
        task: Task = asyncio.TaskGroup.create_task(self, coro, **options)
        task.add_done_callback(self.left)
        return task

    def start_contained(self, coro: Coroutine[Any, Any, Any], **options: Any) -> Task:
        """Make a task, and a child that waits for it and hands on a cancellation."""
        task: Task = asyncio.get_running_loop().create_task(coro, **options)
        task.add_done_callback(self.left)
        asyncio.TaskGroup.create_task(self, guard(task))
        return task


async def guard(task: Task) -> None:
    """Wait until a task has ended; who is cancelled meanwhile cancels the task, and waits on."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
            task.cancel()
    if cancelled:
        raise asyncio.CancelledError


if TYPE_CHECKING:
    Noticed = Noticing
else:
    Noticed = InPlace if KNOWN else Guarding  # the class to derive from


def is_cut_off() -> bool:
    """Tell whether the loop runs only because its runner ends, and cancels what is left."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is asyncio.Runner.close.__code__:
            return True
        frame = frame.f_back
    return False
