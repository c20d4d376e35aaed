"""What of uvloop's inside is seen and replaced, so that somebody else can drive its time?

uvloop is compiled and names nothing of its inside; what a loop holds is known by its kind among the loop's
referents.  A loop that holds something else is refused by name.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections import deque
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

from pytest_taskleak.adapt import stepping, turning
from pytest_taskleak.adapt.asyncio_ import context_of, handle_parts, timer_alive
from pytest_taskleak.adapt.stepping import VirtualTimer
from pytest_taskleak.safely import is_a, own_dict

POLL, PROCESS, TIMER = "UVPoll", "UVProcessTransport", "TimerHandle"


class Inside:
    """What a loop of uvloop holds.

    Parameters:
        loop: the loop.
    """

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        own = gc.get_referents(loop)
        self.queues = [thing for thing in own if type(thing) is deque]
        self.ready: Any = self.queues[0] if self.queues else deque()
        kept = next((thing for thing in own if type(thing) is WeakValueDictionary), None)
        self.transports: dict[int, Any] | None = getattr(kept, "data", None)
        self.tables = [thing for thing in own if type(thing) is dict]
        self.groups = [thing for thing in own if type(thing) is set]
        self._size = 0
        self._watched = 0

    def connected(self) -> bool:
        """Tell whether it has a connection, or watches a socket but for the one that tells of signals."""
        if self.transports:
            return True
        size = sum(map(len, self.tables))
        if size != self._size:
            self._size, self._watched = size, len(self.sockets())
        return self._watched > is_told_of_signals()

    def sockets(self) -> list[int]:
        """Return the descriptors of its connections and of the sockets that it watches."""
        found = list(self.transports or ())
        tables = [list(table.items()) for table in self.tables]
        return found + [fd for table in tables for fd, poll in table if type(poll).__name__ == POLL]

    def own_sockets(self) -> set[int]:
        """Return the descriptors by which it is told of signals."""
        return {thing.fileno() for thing in gc.get_referents(self.loop) if is_a(thing, socket.socket)}

    def timers(self) -> list[Any]:
        """Return its own timers that are armed, the next one first."""
        found = [thing for group in self.groups for thing in list(group) if type(thing).__name__ == TIMER]
        return sorted((timer for timer in found if timer_alive(timer)), key=lambda timer: timer.when())

    def processes(self) -> list[Any]:
        """Return the transports of its child processes."""
        return [
            thing
            for group in self.groups
            if group
            for thing in list(group)
            if type(thing).__name__ == PROCESS
        ]

    def unsent(self) -> int:
        """Return how many bytes wait in it to be sent."""
        return sum(unsent_of(reference()) for reference in list((self.transports or {}).values()))


def unsent_of(transport: Any) -> int:
    """Return how many bytes wait in a transport; one that only reads has no answer."""
    try:
        return int(transport.get_write_buffer_size())
    except (AttributeError, NotImplementedError, RuntimeError):
        return 0


def is_told_of_signals(_main: int = threading.main_thread().ident or 0) -> bool:
    """Tell whether a loop that runs in this thread watches a socket by which it is told of signals."""
    return threading.get_ident() == _main


def refusal(loop: Any) -> str:
    """Say why the time of a loop of uvloop cannot be driven; empty if it can."""
    inside = Inside(loop)
    if len(inside.queues) == 1 and inside.transports is not None and own_dict(loop) is not None:
        return ""
    return "this release of uvloop keeps what it is about to run where Python cannot see it"


def native(loop: Any, name: str) -> Callable[..., Any]:
    """Return a method of a loop as uvloop has it, past what others have put in its place."""
    for base in type(loop).__mro__:
        found = vars(base).get(name)
        if found is not None and type(found) is not FunctionType:
            method: Callable[..., Any] = found.__get__(loop, type(loop))
            return method
    fallback: Callable[..., Any] = getattr(loop, name)
    return fallback


class Overrides:
    """Attributes of one object that are replaced for a while.

    Parameters:
        thing: the object.
    """

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self.undo: list[tuple[str, Any, Any]] = []

    def put(self, name: str, ours: Any) -> None:
        """Replace an attribute."""
        self.undo.append((name, ours, turning.instance_attribute(self.thing, name)))
        setattr(self.thing, name, ours)

    def restore(self) -> None:
        """Put everything back that nobody else has replaced meanwhile."""
        while self.undo:
            name, ours, before = self.undo.pop()
            turning.restore(self.thing, name, ours, before)


def surface(loop: Any, failure: BaseException) -> None:
    """Raise an exception in a callback of a loop so that it comes up out of `run_forever`.

    The loop tells its exception handler of what a callback raises; what that itself raises ends the loop.

    Raises:
        BaseException: the failure.
    """
    overrides = Overrides(loop)

    def call_exception_handler(_: Any) -> None:
        overrides.restore()
        raise failure

    overrides.put("call_exception_handler", call_exception_handler)
    raise failure


class Child:
    """A child process of a loop of uvloop, with the names that a transport of asyncio has.

    Parameters:
        transport: that of uvloop.
    """

    __slots__ = ("__weakref__", "_exit_waiters", "_loop", "_pid", "_proc", "_protocol")

    def __init__(self, transport: Any) -> None:
        own = gc.get_referents(transport)
        words = next(
            (thing for thing in own if type(thing) is list and thing and type(thing[0]) is bytes), []
        )
        self._proc = SimpleNamespace(args=[word.decode(errors="replace") for word in words])
        self._pid = transport.get_pid()
        self._loop = next((thing for thing in own if is_a(thing, asyncio.AbstractEventLoop)), None)
        self._protocol: Any = None
        self._exit_waiters: list[Any] = []
        self.look(transport)

    def look(self, transport: Any) -> None:
        """Note who waits for it now."""
        self._protocol = transport.get_protocol()
        lists = [thing for thing in gc.get_referents(transport) if type(thing) is list]
        self._exit_waiters = [thing for own in lists for thing in own if is_a(thing, asyncio.Future)]

    def end(self) -> None:
        """Note that it is over."""
        self._protocol = None
        self._exit_waiters = []


class UvTimer(VirtualTimer):
    """A timer in virtual time, which goes on in real time if the clock ends before it is due.

    Parameters are those of `asyncio.TimerHandle`.

    Attributes:
        heap: where it waits, `None` if it does not.
        real: the loop's own timer for the rest of its delay, if the clock has ended.
        older: the loop's own timer for which it stands, if that is older than the clock.
    """

    __slots__ = ("heap", "older", "real")
    heap: Any
    older: Any
    real: Any

    def wait_in(self, heap: Any, older: Any = None) -> None:
        """Let it wait in a heap."""
        self.heap = heap
        self.older = older
        self.real = None
        self._scheduled = True

    def wait_really(self, call_later: Callable[..., Any], delay: float) -> None:
        """Let it wait in real time for the rest of its delay.

        Parameters:
            call_later: the loop's own.
            delay: seconds that remain.
        """
        self.heap = None
        self.real = call_later(max(0.0, delay), self.fire)

    def is_gone(self) -> bool:
        """Tell whether it must not fire any more."""
        return self._cancelled or (self.older is not None and not timer_alive(self.older))

    def fire(self) -> None:
        """Do what it was made for, unless it was cancelled."""
        gone = self.is_gone()
        self._end()
        if not gone:
            self._run()

    def cancel(self) -> None:
        """Cancel it; the loop has no heap of its own that must be told."""
        if self.heap is not None:
            self.heap.cancelled += 1
        self._end()
        asyncio.Handle.cancel(self)

    def _end(self) -> None:
        for timer in (self.real, self.older):
            if timer is not None:
                timer.cancel()
        self.heap = self.real = self.older = None
        self._scheduled = False


def stand_in(older: Any, when: float, loop: Any) -> UvTimer:
    """Return a timer in virtual time that stands for one of the loop's own, as long as that is armed."""
    callback, args = handle_parts(older)
    return UvTimer(when, callback, args, loop, context_of(older))


def see_through(*functions: Any) -> None:
    """Let functions that make timers not count as the place where one was made."""
    stepping._transparent.update(function.__code__ for function in functions)
