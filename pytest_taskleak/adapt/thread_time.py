"""Where does a thread wait for a time or read one, and how is another time put there?

Every private name of `threading`, `queue` and `concurrent.futures` that this needs stands here once and is
probed: what is missing stays in real time, and `missing()` says what.  The names are the same in CPython 3.11
to 3.15.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import _base as futures_base
from types import ModuleType
from typing import Any

from pytest_taskleak.adapt import anyio, futures
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.adapt.thread_stacks import RLock
from pytest_taskleak.adapt.turning import ABSENT, restore_class
from pytest_taskleak.safely import attribute, is_a

_CONDITION = ("_is_owned", "_release_save", "_acquire_restore")
_REAL_NAMES = ("pytest_timeout ", "taskleak-")
"""How the names of threads begin that watch the run."""
_DEBUGGER_MARKS = ("pydev_do_not_trace", "is_pydev_daemon_thread")
Sleep = Callable[[Any], None]


class Clock(ModuleType):
    """The module `time` with another `monotonic`.

    Parameters:
        monotonic: that.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__("time", time.__doc__)
        self.monotonic = monotonic

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def missing() -> list[str]:
    """Return what is not where it was, so that waits there stay in real time."""
    gone = []
    probe = threading.Condition()
    if not all(hasattr(probe, name) for name in (*_CONDITION, "_waiters")):
        gone.append("threading.Condition")
    names = ((queue, "time"), (threading, "_time"), (futures_base, "time"))
    gone += [f"{module.__name__}.{name}" for module, name in names if not hasattr(module, name)]
    return gone


def replacements(
    sleep: Sleep, wait: Any, join: Any, monotonic: Callable[[], float]
) -> Iterator[tuple[Any, str, Any]]:
    """Yield what is replaced: where, under which name, by what.

    Parameters:
        sleep: for `time.sleep`.
        wait: for `threading.Condition.wait`.
        join: for `threading.Thread.join`.
        monotonic: for the names that the loops around a wait use.
    """
    gone = missing()
    yield time, "sleep", sleep
    yield threading.Thread, "join", join
    if "threading.Condition" not in gone:
        yield threading.Condition, "wait", wait
        for module, name, ours in (
            (threading, "_time", monotonic),
            (queue, "time", monotonic),
            (futures_base, "time", Clock(monotonic)),
        ):
            if f"{module.__name__}.{name}" not in gone:
                yield module, name, ours


class Patches:
    """Replaced attributes of modules and classes, put back only where they are still ours."""

    def __init__(self) -> None:
        self.undo: list[tuple[Any, str, Any, Any]] = []

    def replace(self, target: Any, name: str, ours: Any) -> None:
        """Put something under a name."""
        self.undo.append((target, name, ours, vars(target).get(name, ABSENT)))
        setattr(target, name, ours)

    def undo_all(self) -> None:
        """Put everything back."""
        while self.undo:
            restore_class(*self.undo.pop())


def wait_on(condition: Any, waiter: Any, rest: Callable[[], bool]) -> bool:
    """Wait on a condition as `threading.Condition.wait` does, but rest in another way.

    Source: `Condition.wait` of CPython.

    Parameters:
        condition: the condition; its lock is held.
        waiter: has a method `release`, which `notify` calls.
        rest: returns when notified or too late, and whether it was notified.

    Returns:
        Whether it was notified.

    Raises:
        RuntimeError: the lock is not held.
    """
    if not condition._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    condition._waiters.append(waiter)
    state = condition._release_save()
    notified = False
    try:
        notified = rest()
        return notified
    finally:
        _take_again(condition, state)
        if not notified:
            with contextlib.suppress(ValueError):
                condition._waiters.remove(waiter)


def _take_again(condition: Any, state: Any) -> None:
    """Take the lock of a condition again, as often as it was held.

    A lock of C that counts is taken in a frame of `threading`: there it is seen that the thread waits for no
    more than a lock.  `_acquire_restore` cannot be interrupted, so an interruption comes afterwards.
    """
    if type(condition._lock) is not RLock or type(state) is not tuple:
        condition._acquire_restore(state)
        return
    try:
        threading.Condition.__enter__(condition)
    except BaseException:
        condition._acquire_restore(state)
        raise
    for _ in range(state[0] - 1):
        condition._lock.acquire()


def threads() -> dict[int, Any]:
    """Return ident -> thread object of all threads of Python, `None` for those unknown to `threading`."""
    return {ident: thread_of(ident) for ident in list(current_frames())}


def thread_of(ident: int) -> Any:
    """Return the thread object of an ident, `None` if `threading` does not know it."""
    return getattr(threading, "_active", {}).get(ident)


def is_dummy(thread: Any) -> bool:
    """Tell whether a thread object was made afterwards, for a thread that somebody else has started."""
    return is_a(thread, getattr(threading, "_DummyThread", ()))


def has_ended(thread: Any) -> bool:
    """Tell whether a thread is past its last line of Python, though `join` may not know it yet."""
    return thread_of(attribute(thread, "_ident")) is not thread


def is_current(thread: Any) -> bool:
    """Tell whether the calling thread is this one."""
    return thread_of(threading.get_ident()) is thread


def is_worker(thread: Any) -> bool:
    """Tell whether a thread does now one piece of work and now another, for a pool of threads or anyio."""
    return anyio.is_worker(thread) or futures.pool_of(thread) is not None


def is_watcher(thread: Any) -> bool:
    """Tell whether a thread watches the run: pytest-timeout's timer, a debugger's, or one of ours."""
    name = attribute(thread, "_name")
    if type(name) is str and name.startswith(_REAL_NAMES):
        return True
    return any(attribute(thread, mark) for mark in _DEBUGGER_MARKS)


def caller_is_in(package: str, depth: int) -> bool:
    """Tell whether the frame `depth` calls above the caller belongs to a package.

    Parameters:
        package: its name.
        depth: 1 is who called the caller.
    """
    name = sys._getframe(depth + 1).f_globals.get("__name__")
    return type(name) is str and name.partition(".")[0] == package
