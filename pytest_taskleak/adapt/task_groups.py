"""How does a subclass of `asyncio.TaskGroup` learn of each end, and keep a failure from its siblings?

`TaskGroup` has a method of its own that is called when a child has ended; to override it costs a fraction of
a second callback for each task.  Where its names are not as they were on 3.11 to 3.15, a callback and a
second task beside each that keeps its failure do the same, slower.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from pytest_taskleak.adapt.asyncio_ import Task

_done: Any = vars(asyncio.TaskGroup).get("_on_task_done")
NAMES = frozenset({
    *("_abort", "_aborting", "_base_error", "_errors", "_is_base_error", "_loop", "_on_completed_fut"),
    *("_parent_cancel_requested", "_parent_task", "_tasks", "append", "call_exception_handler", "cancel"),
    *("cancelled", "discard", "done", "exception", "future_discard_from_awaited_by", "futures", "set_result"),
})  # fmt: skip
"""What the method uses on 3.11 to 3.15; one that uses anything else does what is not known here."""
KNOWN = NAMES.issuperset(getattr(getattr(_done, "__code__", None), "co_names", "?")) and hasattr(
    asyncio.Task, "_exception"
)
"""Whether the method does what is done here in its place."""
_unlink: Any = getattr(asyncio.futures, "future_discard_from_awaited_by", None)
"""From 3.14 a future knows who waits for it; the group does, for its children."""


DECLARED: weakref.WeakSet[Task] = weakref.WeakSet()
"""The background tasks of a test's group: they may run until the end of their runner."""


class Register(Protocol):
    """Where the children are written down; ordinary ends are struck off here, without a call for each."""

    live: dict[Any, Any]
    """Child -> its entry."""
    past: Any
    """Gets the entry, the outcome and the loop's time of each end."""
    busy: bool
    """Whether somebody is to hear of each end: then all are told to `Noticing.ended`."""
    loop: Any

    def eager(self) -> Any:
        """Return the entry of a child that ends before it is in `live`."""
        ...


class Noticing(asyncio.TaskGroup):
    """A task group that notes the end of each child in a register, or tells its subclass of it."""

    _books: Register
    start: Any = asyncio.TaskGroup.create_task
    """Makes a child, as `create_task` of the base class."""
    start_contained: Any = asyncio.TaskGroup.create_task
    """Makes a child whose failure `ended` will hide."""

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

    if KNOWN:

        def _on_task_done(self, task: Task) -> None:
            register = self._books
            cancelled = task.cancelled()
            error = None if cancelled else task._exception
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
    Noticed = Noticing if KNOWN else Guarding  # the class to derive from


def is_cut_off() -> bool:
    """Tell whether the loop runs only because its runner ends, and cancels what is left."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is asyncio.Runner.close.__code__:
            return True
        frame = frame.f_back
    return False
