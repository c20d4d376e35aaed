"""Whose step is it that a loop is about to run, and which of the loop's tasks is that?

Tasks are numbered by their birth on their loop, because nothing else of them is the same in another process.
While somebody wants it, new tasks are of a class that hashes by this number: a set of tasks, as that of a
`TaskGroup` or of `asyncio.wait`, is then walked through in the same order each time.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from asyncio import events, futures, tasks
from collections.abc import Callable
from concurrent.futures import Future as PoolFuture
from types import BuiltinFunctionType, CodeType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import Any, Self

from pytest_taskleak.adapt.asyncio_ import coro_of, must_cancel
from pytest_taskleak.adapt.futures import describe
from pytest_taskleak.safely import is_a

SOON, FIRST, STEP, WAKE = "soon", "first", "step", "wake"
"""Sorts of what is ready: a plain callback; of a task its first step, one after a bare yield, a waking."""
CANCEL = "cancel"
"""A step of a task that begins with `CancelledError`, where somebody asks for that."""

NOBODY = 1 << 62
NUMBERS: dict[int, Callable[[], int]] = {}
"""The id of a loop whose tasks are numbered -> what numbers them."""

ThreadSafeHandle: type[asyncio.Handle] = getattr(events, "_ThreadSafeHandle", events.Handle)  # from 3.14 on
_python_task: Any = getattr(tasks, "_PyTask", None)
_WRAPPER = "TaskStepMethWrapper"
_WAKEUP = "task_wakeup"
_wakeup = getattr(_python_task, "_Task__wakeup", None)
_step = getattr(_python_task, "_Task__step", None)


class NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number, where its loop numbers its tasks; the same as any other elsewhere."""

    __slots__ = ("number", "wakings")
    number: int
    wakings: int

    def __new__(cls, *_args: Any, **options: Any) -> Self:
        task = super().__new__(cls)
        count = NUMBERS.get(id(options.get("loop")))
        task.number = -1 if count is None else count()
        task.wakings = 0
        return task

    def __hash__(self) -> int:
        return self.number if self.number >= 0 else object.__hash__(self)


NumberedTask.__name__ = NumberedTask.__qualname__ = asyncio.Task.__qualname__
NumberedTask.__module__ = asyncio.Task.__module__


class Classes:
    """Lets loops make their tasks of `NumberedTask`, and `asyncio.tasks` keep the order of its sets."""

    def __init__(self) -> None:
        self.users = 0
        self.before: Any = None

    def install(self) -> None:
        """Begin, for one more user."""
        self.users += 1
        if self.users == 1 and tasks.Task is asyncio.Task:
            self.before = tasks.Task
            tasks.Task = NumberedTask  # type: ignore[misc]
            tasks.set = in_order  # type: ignore[attr-defined]

    def uninstall(self) -> None:
        """End, when the last user leaves."""
        self.users -= 1
        if self.users:
            return
        if self.before is not None and tasks.Task is NumberedTask:
            tasks.Task = self.before  # type: ignore[misc]
        self.before = None
        if vars(tasks).get("set") is in_order:
            del tasks.set  # type: ignore[attr-defined]


def in_order(*things: Any) -> Any:
    """Do what `set` does for `asyncio.tasks`: an empty set, or each of some things once, in their order."""
    return dict.fromkeys(*things) if things else set()


CLASSES = Classes()


class Numbering:
    """The numbers of the tasks of one loop.

    Parameters:
        loop: the loop.
    """

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.next = itertools.count().__next__
        self._others: dict[int, tuple[weakref.ref[Any], int]] = {}  # of another class, or older than this
        self._wakings: dict[int, int] = {}

    def begin(self) -> None:
        """Number the tasks that are made from here on."""
        NUMBERS[id(self.loop)] = self.next
        CLASSES.install()

    def end(self) -> None:
        """Number no more."""
        CLASSES.uninstall()
        NUMBERS.pop(id(self.loop), None)

    def of(self, task: Any) -> int:
        """Return the number of a task; one that has none gets the next when it is first seen."""
        if type(task) is NumberedTask and task.number >= 0:
            return task.number
        found = self._others.get(id(task))
        if found is not None and found[0]() is task:
            return found[1]
        number, key = self.next(), id(task)
        self._others[key] = (weakref.ref(task, lambda _: self._forget(key)), number)
        return number

    def _forget(self, key: int) -> None:
        self._others.pop(key, None)
        self._wakings.pop(key, None)

    def waking(self, task: Any) -> tuple[int, int]:
        """Return the number of a task and how often it was woken before; it is counted with this."""
        number = self.of(task)
        if type(task) is NumberedTask:
            task.wakings += 1
            return number, task.wakings
        count = self._wakings[id(task)] = self._wakings.get(id(task), 0) + 1
        return number, count

    def waiting_for(self, args: Any) -> int:
        """Return the number of the first task that waits for one of some arguments, else a large one."""
        for future in args or ():
            for callback, *_ in (
                getattr(future, "_callbacks", None) or () if is_a(future, futures.Future) else ()
            ):
                sort, task = step_of(callback)
                if sort == WAKE:
                    return self.of(task)
        return NOBODY


def step_of(callback: Any) -> tuple[str, Any]:
    """Return of what sort a ready callback is, and its task, `None` if it is no task's."""
    kind = type(callback)
    if kind is BuiltinFunctionType:
        return (WAKE, callback.__self__) if callback.__name__ == _WAKEUP else (SOON, None)
    if kind.__name__ == _WRAPPER:
        task = callback.__self__
        return (STEP if begun(task) else FIRST), task
    if kind is MethodType and is_a(callback.__self__, _python_task or ()):
        task, function = callback.__self__, callback.__func__
        if function is _wakeup:
            return WAKE, task
        if function is _step:
            return (STEP if begun(task) else FIRST), task
    return SOON, None


def begun(task: Any) -> bool:
    """Tell whether a task has made its first step."""
    coro = coro_of(task)
    if type(coro) is CoroutineType:
        return coro.cr_suspended
    return type(coro) is not GeneratorType or coro.gi_suspended


def task_name(task: Any) -> str:
    """Return the name of what a task runs."""
    coro = coro_of(task)
    if type(coro) is CoroutineType or type(coro) is GeneratorType:
        return coro.__qualname__
    return describe(type(coro))[1]


def callback_name(callback: Any) -> str:
    """Return the name of a callback without running its code."""
    return callback.__qualname__ if type(callback) is FunctionType else describe(callback)[1]


def was_cancelled(args: Any) -> bool:
    """Tell whether a task is woken because what it waited for was cancelled.

    Parameters:
        args: those of its waking.
    """
    future = args[0] if args else None
    return is_a(future, futures.Future) and getattr(future, "_state", "") == "CANCELLED"


def cancels(task: Any, args: Any) -> bool:
    """Tell whether the step that a task is about to make begins with `CancelledError`.

    Parameters:
        task: the task.
        args: those of the callback that makes the step.
    """
    return was_cancelled(args) or must_cancel(task)


def result_of_call(args: Any) -> Any:
    """Return the future that gets what a call in a pool has come to, `None` for anything else.

    Parameters:
        args: those of what another thread wants a loop to call.
    """
    if type(args) is not tuple or len(args) != len(("future", "what is done")):
        return None
    future, done = args
    return future if is_a(future, futures.Future) and is_a(done, (PoolFuture, futures.Future)) else None


def only_looks(callback: Any) -> bool:
    """Tell whether a callback looks only whether the call in a pool must be cancelled."""
    return type(callback) is FunctionType and (callback.__code__ is _CHECK or callback is _looks)


def _looks(_future: Any) -> None:
    """Stand for asyncio's own look whether the call must be cancelled."""


def stand_in(loop: Any) -> Any:
    """Return a future for the result of a call in a pool that was done before it could be waited for."""
    future = loop.create_future()
    future.add_done_callback(_looks)
    return future


def hand_on(future: Any, done: Any) -> None:
    """Give the result of one future to another one."""
    if future.done():
        return
    if done.cancelled():
        future.cancel()
    elif (error := done.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())


def is_future(thing: Any) -> bool:
    """Tell whether something is a future of asyncio."""
    return is_a(thing, futures.Future)


def retrieved(future: Any) -> None:
    """Keep a future that is done from complaining that nobody looked at its error."""
    if not future.cancelled():
        future.exception()


_CHECK = next(
    (
        code
        for code in getattr(
            getattr(futures, "_chain_future", None), "__code__", (lambda: 0).__code__
        ).co_consts
        if type(code) is CodeType and code.co_name == "_call_check_cancel"
    ),
    None,
)
