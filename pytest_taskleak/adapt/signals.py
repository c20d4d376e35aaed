"""What of the process's signals is changed, by whom, and which handlers are the loops' own?

asyncio and trio put a handler of their own on SIGINT while they run, and loops one on each signal
that they hand on.  Those come and go with their loop and are nobody's.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import threading
import weakref
from asyncio import runners
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import asyncio_, futures
from pytest_taskleak.model import BIRTH
from pytest_taskleak.safely import is_a

RUNNERS_FILE = runners.__file__
RUNNERS = frozenset({RUNNERS_FILE})
"""The files that set a handler at each run of a loop, known without any work."""
TRIO_FILE = os.path.join("trio", "_core", "_ki.py")
UNIX_FILE = os.path.join("asyncio", "unix_events.py")

SOONEST = 0.001
"""Seconds after which a timer fires at the earliest that was due while another one took its place."""
MOST_DISPLACED = 4
"""So many timers whose place was taken are remembered, to know them when they are armed again."""
TIMERS = {
    getattr(signal, name): name
    for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF")
    if hasattr(signal, name)
}

QUIET_FILES: dict[str, bool] = {RUNNERS_FILE: True}
"""File name -> whether the handlers that it installs are a loop's own."""
_thread = threading.local()


class Handler:
    """The first change that an owner makes to the handler of a signal."""

    def __init__(self, number: int, before: Any) -> None:
        self.number = number
        self.before = before

    def scope(self) -> Any:
        """Return the scope of its owner, if somebody watches."""
        return getattr(self, BIRTH, (None,))[0]

    def over(self) -> bool:
        """Tell whether its owner's scope has closed, or nobody watches it any more."""
        scope = self.scope()
        return scope is None or scope.closed or not scope.watch.awake


class Interval:
    """An interval timer that was armed; the latest of its kind is the one that counts."""

    def __init__(self, which: int, before: tuple[float, float], replaced: Interval | None) -> None:
        self.which = which
        self.before = before
        self.replaced = replaced
        self.since = timing.now()

    def rest(self) -> tuple[float, float]:
        """Return what must be armed now, as if this one had never been: zeros to disarm."""
        seconds, interval = self.before
        if not seconds:
            return 0.0, 0.0
        return max(SOONEST, seconds - (timing.now() - self.since)), interval


class LoopHandler:
    """A signal that a loop hands on to a callback."""

    def __init__(self, loop: Any, number: int, what: tuple[str, str]) -> None:
        self.loop = weakref.ref(loop)
        self.number = number
        self.module, self.what = what
        self.own = hasattr(loop, BIRTH)  # the loops of test runners have no owner


def in_main_thread() -> bool:
    """Tell whether this thread may set handlers."""
    return threading.current_thread() is threading.main_thread()


def signal_code() -> CodeType | None:
    """Return the code of `signal.signal`, which calls the built-in function."""
    return getattr(signal.signal, "__code__", None)


def by_loop(frame: FrameType) -> bool:
    """Tell whether a handler is set by a loop's or runner's own code."""
    name = frame.f_code.co_filename
    quiet = QUIET_FILES.get(name)
    if quiet is None:
        quiet = QUIET_FILES[name] = is_quiet_file(name)
    return quiet


def settled(number: int, handler: Any) -> Any:
    """Return a handler, or what its loop will put back if it is a loop's own."""
    if is_own(handler):
        return signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    return handler


def current(number: int) -> Any:
    """Return the handler that is installed, as `settled` takes it."""
    return settled(number, signal.getsignal(number))


def is_own(handler: Any) -> bool:
    """Tell whether a handler belongs to a running loop or runner."""
    if is_a(handler, functools.partial):
        handler = handler.func
    if is_a(handler, MethodType):
        return is_a(handler.__self__, asyncio.Runner | asyncio.AbstractEventLoop)
    if is_a(handler, FunctionType):
        return is_quiet_file(handler.__code__.co_filename)
    return is_a(getattr(handler, "__self__", None), asyncio.AbstractEventLoop)


def is_quiet_file(name: str) -> bool:
    """Tell whether a file is a loop's or runner's own."""
    return name == RUNNERS_FILE or name.endswith((TRIO_FILE, UNIX_FILE))


def same(one: Any, other: Any) -> bool:
    """Tell whether two handlers are the same, without running code of theirs."""
    if one is other:
        return True
    if is_a(one, int) and is_a(other, int):
        return int(one) == int(other)
    if is_a(one, MethodType) and is_a(other, MethodType):
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    return False


def standing(changes: Sequence[Handler], now: Any) -> list[Handler]:
    """Return the changes that still count, the oldest first, where the handler `now` is installed.

    What undoes a change undoes those after it too.  One that was left by an owner who is gone counts
    until it is undone, since whoever undoes it changes nothing; of several the first is enough.
    """
    undone = next((i for i, change in enumerate(changes) if same(change.before, now)), len(changes))
    gone = [change for change in changes[:undone] if change.over()][:1]
    return gone + [change for change in changes if not change.over()]


def name_of(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def describe(handler: Any) -> tuple[str, str]:
    """Return (module, qualified name) of a handler, without running its code."""
    if handler is None:
        return "", "a handler that is not Python's"
    if is_a(handler, int):
        return "signal", f"signal.{signal.Handlers(handler).name}"
    return futures.describe(handler)


def callback_on(loop: Any, number: int) -> Any:
    """Return the callback that a stock loop hands a signal on to."""
    handle = (getattr(loop, "_signal_handlers", None) or {}).get(number)
    return getattr(handle, "_callback", None)


def describe_timer(which: int) -> tuple[str, str]:
    """Return the name of an interval timer, and how often it fires."""
    every = signal.getitimer(which)[1]
    return TIMERS.get(which, f"timer {which}"), f"fires every {every:g} s" if every else "fires once"


def timer_modules() -> list[Any]:
    """Return the module with the interval timers, where the system has them."""
    return [signal] if hasattr(signal, "setitimer") else []


def loop_classes() -> Iterator[type]:
    """Yield the loop classes that hand signals on."""
    unix: Any = getattr(asyncio, "unix_events", None)
    kind = getattr(unix, "_UnixSelectorEventLoop", None)
    if kind is not None:
        yield kind
    yield from (c for c in asyncio_.loop_classes() if not issubclass(c, asyncio.BaseEventLoop))


def is_quiet() -> bool:
    """Tell whether this thread changes signals on behalf of a loop, or puts them back for us."""
    return getattr(_thread, "quiet", False)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let a loop install its own handlers, which are told as the loop's; or put back what was there."""
    before = is_quiet()
    _thread.quiet = True
    try:
        yield
    finally:
        _thread.quiet = before


def on_their_way(numbers: Iterable[int]) -> bool:
    """Tell whether one of some signals was sent to this process, and no thread has taken it yet.

    That is told on Linux; elsewhere it is never so.
    """
    try:
        with open("/proc/self/status", "rb") as file:
            told = file.read()
    except OSError:
        return False
    start = told.find(b"ShdPnd:")
    wanted = sum(1 << (number - 1) for number in set(numbers))
    return start >= 0 and bool(int(told[start + 7 : told.index(b"\n", start)], 16) & wanted)
