"""What of a stock loop is read and replaced so that somebody else can drive its time?

Every private name stands here once; `refusal` probes them, and a loop that lacks one is refused by name.
The names are the same in CPython 3.11 to 3.15.
"""

from __future__ import annotations

import asyncio
import heapq
import inspect
from asyncio import base_events, events
from collections.abc import Callable
from operator import attrgetter
from types import MethodType
from typing import Any

from pytest_taskleak.adapt.asyncio_ import uvloops
from pytest_taskleak.safely import is_a

ABSENT = object()
NEEDED = ("_selector", "_ready", "_scheduled", "_clock_resolution", "_run_once")

heap_of: Callable[[Any], list[Any]] = attrgetter("_scheduled")
"""The heap of a loop's timers; the list is another one after many were cancelled."""
ready_of: Callable[[Any], Any] = attrgetter("_ready")
"""The queue of what a loop is about to run; always the same object."""
selector_of: Callable[[Any], Any] = attrgetter("_selector")
is_stopping: Callable[[Any], bool] = attrgetter("_stopping")
when_of: Callable[[Any], float] = attrgetter("_when")
"""The time of a timer; the same as `when()`, but faster."""


def refusal(loop: Any) -> str:
    """Say why the time of a loop cannot be driven; empty if it can."""
    if is_a(loop, tuple(uvloops())):
        return ""
    name = f"{type(loop).__module__}.{type(loop).__qualname__}"
    if not is_a(loop, asyncio.BaseEventLoop):
        return f"{name} keeps its timers where Python cannot reach them"
    missing = [word for word in NEEDED if not hasattr(loop, word)]
    if missing:
        return f"{name} has no {', '.join(missing)}"
    names = getattr(getattr(type(loop)._run_once, "__code__", None), "co_names", ())
    if "_selector" not in names or "select" not in names:
        return f"{name} waits for events in a way of its own"
    return ""


def undo_setup(loop: Any) -> None:
    """Put back what `run_forever` has set up, where it does so outside of its own `finally`."""
    cleanup = getattr(loop, "_run_forever_cleanup", None)
    if cleanup is not None:
        cleanup()


def quick_poll(selector: Any) -> Callable[[], bool] | None:
    """Return what tells whether a selector has an event, faster than its `select(0)`, if there is such."""
    poll = getattr(getattr(selector, "_selector", None), "poll", None)
    if poll is None or type(selector).__name__ != "EpollSelector":
        return None

    def stirs(_poll: Callable[[float, int], list[Any]] = poll) -> bool:
        return bool(_poll(0, 1))

    return stirs


def prune(loop: Any) -> float | None:
    """Drop the cancelled timers at the head of a loop's heap, and return when the next one is due."""
    heap = loop._scheduled
    while heap:
        first = heap[0]
        if not first._cancelled:
            return first._when  # type: ignore[no-any-return]
        loop._timer_cancelled_count -= 1
        heapq.heappop(heap)._scheduled = False
    return None


def first_due(loop: Any) -> float | None:
    """Return when the next timer is due, without touching the heap: another thread may run the loop."""
    heap = loop._scheduled
    for first in heap[:1]:
        if not first._cancelled:
            return first._when  # type: ignore[no-any-return]
    return min((handle._when for handle in heap[:] if not handle._cancelled), default=None)


def shift_timers(loop: Any, seconds: float) -> None:
    """Move all timers of a loop, so that each keeps its remaining delay."""
    for handle in loop._scheduled:
        handle._when += seconds
        if hasattr(handle, "order"):  # of a `VirtualTimer`
            handle.order = (handle._when, handle.order[1])


def set_resolution(loop: Any, seconds: float) -> float:
    """Set how near a timer must be to count as due; return what it was."""
    before: float = loop._clock_resolution
    loop._clock_resolution = seconds
    return before


def wake(loop: Any) -> None:
    """End the wait of a loop that another thread runs."""
    loop._write_to_self()


def own_fd(loop: Any) -> int:
    """Return the descriptor by which a loop wakes itself, -1 if there is none."""
    sock = getattr(loop, "_ssock", None)
    return -1 if sock is None else int(sock.fileno())


def instance_attribute(thing: Any, name: str) -> Any:
    """Return what stands under a name in an object's own dictionary, else `ABSENT`.

    The dictionary of an instance is not asked for where it can be helped: CPython 3.11 and 3.12 are several
    times slower with the attributes of an object whose dictionary was once asked for.
    """
    found, of_class = getattr(thing, name, ABSENT), getattr(type(thing), name, ABSENT)
    if found is ABSENT or (
        type(found) is MethodType and found.__self__ is thing and found.__func__ is of_class
    ):
        return ABSENT
    return vars(thing).get(name, ABSENT)


def restore(thing: Any, name: str, ours: Any, before: Any) -> None:
    """Put back an instance's attribute, unless somebody has replaced ours meanwhile."""
    if getattr(thing, name, None) is not ours:
        return
    if before is ABSENT:
        delattr(thing, name)
    else:
        setattr(thing, name, before)


def unstop(loop: Any) -> None:
    """Let a loop that was told to stop go on for another turn."""
    loop._stopping = False


class Running:
    """Tells somebody which loop begins to run in the calling thread, and when it stops.

    `asyncio.events._set_running_loop` is replaced meanwhile: every loop of Python calls it, and it leaves no
    frame on the stack.  uvloop calls the original, so there the method that runs the loop is wrapped.

    Parameters:
        begins: called with a loop before it runs anything.
        ends: called when no loop runs any more in this thread.
    """

    def __init__(self, begins: Callable[[Any], None], ends: Callable[[], None]) -> None:
        self.begins = begins
        self.ends = ends
        self.undo: list[tuple[Any, str, Any, Any]] = []

    def install(self) -> None:
        """Begin to tell."""
        original = events._set_running_loop

        def _set_running_loop(loop: Any) -> None:
            if loop is None:
                self.ends()
            else:
                try:
                    self.begins(loop)
                except BaseException:
                    undo_setup(loop)
                    raise
            original(loop)

        self._replace(events, "_set_running_loop", _set_running_loop)
        for kind in uvloops():
            self._replace(kind, "run_forever", self._wrap(kind.run_forever))  # type: ignore[attr-defined]

    def uninstall(self) -> None:
        """Put everything back."""
        while self.undo:
            restore_class(*self.undo.pop())

    def _replace(self, target: Any, name: str, ours: Any) -> None:
        self.undo.append((target, name, ours, vars(target).get(name, ABSENT)))
        setattr(target, name, ours)

    def _wrap(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        def run_forever(loop: Any) -> None:
            self.begins(loop)
            try:
                original(loop)
            finally:
                self.ends()

        return run_forever


def restore_class(target: Any, name: str, ours: Any, before: Any) -> None:
    """Put back an attribute of a module or a class, unless somebody has replaced ours meanwhile."""
    if vars(target).get(name) is not ours:
        return
    if before is ABSENT:
        delattr(target, name)
    else:
        setattr(target, name, before)


def timer_class() -> type[asyncio.TimerHandle]:
    """Return the class of which stock loops make their timers just now."""
    return events.TimerHandle


def set_timer_class(kind: type[asyncio.TimerHandle]) -> None:
    """Let stock loops make their timers of another class."""
    events.TimerHandle = kind  # type: ignore[misc]


def stock(function: Any) -> Any:
    """Return a function of asyncio itself, below whatever wraps it just now."""
    return inspect.unwrap(function)


def codes_of(*functions: Any) -> frozenset[Any]:
    """Return the code of functions of asyncio, of those that there are."""
    return frozenset(stock(each).__code__ for each in functions if hasattr(each, "__code__"))


SLEEP_CODES = codes_of(
    asyncio.sleep, asyncio.timeouts.Timeout.reschedule, getattr(asyncio.tasks, "_wait", None)
)
"""The code of asyncio that makes a timer for a task, whose own await chain tells where."""
SCHEDULING_CODES = codes_of(base_events.BaseEventLoop.call_later, base_events.BaseEventLoop.call_at)
