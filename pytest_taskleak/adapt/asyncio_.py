"""What of asyncio's inside is read, on stock loops and on uvloop?

Every private name stands here once, is read with a fallback, and is checked by `self_test`.
"""

import _thread
import asyncio
import contextlib
import gc
import sys
import weakref
from asyncio import base_events, events, futures, runners, tasks, timeouts
from collections.abc import Callable, Generator, Iterator
from contextvars import Context
from types import FrameType, MethodType
from typing import Any

from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.safely import attribute, is_a

Loop = asyncio.AbstractEventLoop
Task = asyncio.Task[Any]

UV_DRIVER = ("pytest_taskleak.loops.uv",)
UVLOOP = ("uvloop",)
"""What must be imported before uvloop's loop class can be patched."""

STEPS = (getattr(events.Handle, "_run").__code__, runners.Runner.run.__code__)  # noqa: B009 -- a private name
"""The code that runs a callback of a stock loop; under uvloop only that of the runner is to be seen."""

_inner = getattr(tasks, "_ensure_future", tasks.ensure_future)  # of its own up to 3.11
ENSURE_FUTURE = _inner.__code__
"""The code that makes a task of a coroutine for `run_until_complete` and others."""
UNTIL_COMPLETE = base_events.BaseEventLoop.run_until_complete.__code__
THROUGH = UNTIL_COMPLETE if _inner is tasks.ensure_future else tasks.ensure_future.__code__
"""What calls it on the way from `run_until_complete`."""
CLOSE_RUNNER = runners.Runner.close.__code__

_get_running_loop = events._get_running_loop
_current_task = tasks.current_task
_all_tasks = tasks.all_tasks


def running_task(
    _loop: Callable[[], Loop | None] = _get_running_loop,
    _task: Callable[[Loop], Task | None] = _current_task,
) -> Task | None:
    """Return the task that this thread runs just now."""
    loop = _loop()
    return None if loop is None else _task(loop)


def running_loop() -> Loop | None:
    """Return the loop that this thread runs just now."""
    return _get_running_loop()


def tasks_of(loop: Loop) -> list[Task]:
    """Return the pending tasks of a loop, in the order of their birth where names tell it."""
    try:
        found = _all_tasks(loop)
        return sorted(found, key=_number) if found else []
    except RuntimeError:  # changed by another thread again and again, before 3.14
        return []


def _number(task: Task) -> tuple[int, str]:
    name = task.get_name()
    digits = name.removeprefix("Task-")
    return (int(digits) if digits.isdigit() else 0, name)


def context_of(thing: Any) -> Context | None:
    """Return the context that a task or a handle runs in."""
    own: Context | None = getattr(thing, "_context", None)
    if type(own) is Context:
        return own
    if hasattr(thing, "get_context"):
        found: Context | None = thing.get_context()
        return found
    # 3.11's C Task and uvloop's handles have no way to ask.
    return next((x for x in gc.get_referents(thing) if is_a(x, Context)), None)


def waiter_of(task: Task) -> Any:
    """Return the future that a task waits for."""
    return getattr(task, "_fut_waiter", None)


def must_cancel(task: Task) -> bool:
    """Tell whether a cancellation is on its way to a task."""
    return bool(getattr(task, "_must_cancel", False))


def asyncgen_references(loop: Loop) -> list[weakref.ref[Any]]:
    """Return the weak references by which a loop knows its async generators."""
    known = getattr(loop, "_asyncgens", None)
    if known is None:
        known = next((x for x in gc.get_referents(loop) if type(x) is weakref.WeakSet), None)
    return list(getattr(known, "data", ()))


def is_only_thread() -> bool:
    """Tell whether no other thread has run Python code and could go on."""
    return _thread._count() == 0 and len(current_frames()) == 1


def coro_of(task: Task) -> Any:
    """Return the coroutine of a task, `None` where it has given it up.

    `get_coro()` is not asked: on early releases of CPython 3.12 it crashes the interpreter for an eager
    task that has ended.
    """
    try:
        return task._coro  # type: ignore[attr-defined]
    except AttributeError:  # a class of tasks that is not asyncio's
        return task.get_coro()


def loop_of(task: Task) -> Loop:
    """Return the loop of a task."""
    return task.get_loop()


def can_turn(loop: Loop) -> bool:
    """Tell whether this thread may run a loop for a moment."""
    return not loop.is_closed() and not loop.is_running() and _get_running_loop() is None


def runs_elsewhere(loop: Loop) -> bool:
    """Tell whether another thread is running a loop just now."""
    return loop.is_running() and _get_running_loop() is not loop


def turn(loop: Loop, times: int = 1) -> None:
    """Run whatever is ready, `times` over, without making a task or asking the clock."""
    for _ in range(times):
        loop.call_soon(loop.stop)
        try:
            loop.run_forever()
        except SystemExit:
            # A leftover wants to end the process; that is for its own test to say, not for us.
            continue


def scheduled(loop: Loop) -> list[asyncio.TimerHandle]:
    """Return the timers that a loop still holds."""
    heap = getattr(loop, "_scheduled", None)
    if heap is not None:
        return sorted((h for h in list(heap) if not h.cancelled()), key=lambda h: h.when())
    handles = []
    for referent in gc.get_referents(loop):
        if type(referent) is set:
            handles += [virtual(h) for h in list(referent) if type(h).__name__ == "TimerHandle"]
    return sorted((h for h in handles if timer_alive(h)), key=lambda h: h.when())


def virtual(handle: Any) -> Any:
    """Return the timer of a fake clock that waits in real time by a handle of uvloop, else the handle."""
    timer = getattr(handle_parts(handle)[0], "__self__", None)
    return timer if hasattr(type(timer), "virtual") else handle


def has_timers(loop: Loop) -> bool:
    """Tell whether a loop may still hold a timer; costs one look where it holds none."""
    heap = getattr(loop, "_scheduled", None)
    return bool(scheduled(loop) if heap is None else heap)


def timer_alive(handle: asyncio.TimerHandle) -> bool:
    """Tell whether a timer is armed: neither fired nor cancelled."""
    if handle.cancelled():
        return False
    armed = getattr(handle, "_scheduled", None)
    if armed is not None:
        return bool(armed)
    return any(type(x).__name__ == "UVTimer" for x in gc.get_referents(handle))


def handle_parts(handle: asyncio.Handle) -> tuple[Any, tuple[Any, ...]]:
    """Return the callback of a handle and its arguments."""
    if hasattr(handle, "_callback"):
        return handle._callback, tuple(handle._args or ())
    referents = gc.get_referents(handle)
    args = next((x for x in referents if type(x) is tuple), ())
    return (referents[0] if referents else None), args  # uvloop visits the callback first


def loop_of_handle(handle: asyncio.Handle) -> Loop | None:
    """Return the loop that a handle is scheduled on."""
    loop = getattr(handle, "_loop", None)
    if loop is not None:
        return loop  # type: ignore[no-any-return]
    return next((x for x in gc.get_referents(handle) if is_a(x, Loop)), None)


def belongs_to_task(callback: Any) -> bool:
    """Tell whether a timer is part of a task's own `sleep`, `timeout` or `wait_for`."""
    if callback is getattr(futures, "_set_result_unless_cancelled", object()):
        return True
    if callback is getattr(tasks, "_release_waiter", object()):
        return True
    if not is_a(callback, MethodType):
        return False
    owner = callback.__self__
    if is_a(owner, timeouts.Timeout):
        return True
    anyio = sys.modules.get("anyio._backends._asyncio")
    return anyio is not None and is_a(owner, getattr(anyio, "CancelScope", ()))


def open_transport(thing: Any) -> bool:
    """Tell whether a protocol's transport is still open."""
    if not is_a(thing, asyncio.BaseProtocol):
        return False
    for name in ("transport", "_transport"):
        transport = attribute(thing, name)
        if is_a(transport, asyncio.BaseTransport):
            return not transport.is_closing()
    return False


def lost_sight(task: Task) -> None:
    """Keep asyncio from complaining of a task that was told already."""
    try:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    except AttributeError:
        return


def forsake(task: Task) -> None:
    """Keep the end of a runner from waiting for a task that does not end."""
    with contextlib.suppress(AttributeError):
        asyncio._unregister_task(task)  # documented in "Extending asyncio"


def loop_classes() -> Iterator[type]:
    """Yield the classes on which births are seen: the stock one, and uvloop's once imported."""
    yield asyncio.BaseEventLoop
    yield from uvloops()


def uv_drivers() -> list[type]:
    """Return the class whose methods stand in for those of uvloop under a fake clock, once it is imported."""
    found = getattr(sys.modules.get("pytest_taskleak.loops.uv"), "UvloopDriver", None)
    return [] if found is None else [found]


def uvloops() -> list[type]:
    """Return uvloop's class, once it is imported; what is made of C calls no method of the stock class."""
    found = getattr(sys.modules.get("uvloop"), "Loop", None)
    return [] if found is None else [found]


def told_by_asyncio(context: Any) -> bool:
    """Tell whether asyncio itself calls an exception handler; it names what the exception came up in."""
    standard = ("handle", "protocol", "transport", "server", "asyncgen", "task", "future", "socket")
    return any(context.get(key) is not None for key in standard)


def shuts_down(frame: FrameType) -> bool:
    """Tell whether a task is one of those by which a runner closes its loop; they are run at once.

    Parameters:
        frame: that of `THROUGH`.
    """
    above = frame.f_back
    if above is not None and frame.f_code is not UNTIL_COMPLETE:
        above = above.f_back
    return above is not None and above.f_code is CLOSE_RUNNER


def calling_frame(depth: int) -> FrameType | None:
    """Return the frame of the code that called, so many frames up from the caller of this."""
    try:
        return sys._getframe(depth + 1)
    except ValueError:
        return None


class _Turn:
    """An awaitable that gives the running loop one turn, without its clock."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def one_turn() -> None:
    """Let the running loop run once what is ready."""
    await _Turn()
