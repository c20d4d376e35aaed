"""Which threads run just now, which loops turn in them, and how is a suspended task made to go on?

Everything here is called while another thread hangs, so it takes no lock and imports nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from asyncio import base_events, runners
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.code import LIBRARY, LOOP, SKIP, USER, kind_of
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.adapt.naming import dict_of
from pytest_taskleak.safely import is_a

FOREVER = base_events.BaseEventLoop.run_forever.__code__
RUN = runners.Runner.run.__code__
MOST_TASKS = 100
MOST_KNOWN = 60
Turning = tuple[Any, Any]
"""A loop and its main future, `None` where it turns without one."""


def threads() -> dict[int, threading.Thread]:
    """Return ident -> thread of those that `threading` knows, without its lock."""
    known: dict[int, threading.Thread] = getattr(threading, "_active", {})
    try:
        return dict(known)
    except RuntimeError:  # one begins or ends just now
        return {}


def name_of(ident: int, known: dict[int, threading.Thread]) -> str:
    """Return the name of a thread; one that `threading` does not know has none."""
    thread = known.get(ident)
    name = getattr(thread, "_name", None)
    return str(name) if type(name) is str else f"no name, id {ident}"


def frames() -> dict[int, FrameType]:
    """Return ident -> innermost frame of every thread."""
    return current_frames()


def stack(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of a running stack, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def turning(top: FrameType | None) -> Turning | None:
    """Return the innermost loop that a stack runs, and the future until which it does."""
    loop: Any = None
    for frame in stack(top):
        code = frame.f_code
        if code is asyncio_.UNTIL_COMPLETE:
            return frame.f_locals.get("self"), frame.f_locals.get("future")
        if code is RUN:
            return getattr(frame.f_locals.get("self"), "_loop", None), frame.f_locals.get("task")
        if code is FOREVER and loop is None:
            loop = frame.f_locals.get("self")
        elif loop is not None:  # `run_forever` was called by somebody else
            return loop, None
        elif (hidden := hidden_loop(frame)) is not None:
            return hidden, main_of(hidden)
    return None if loop is None else (loop, None)


def hidden_loop(frame: FrameType) -> Any:
    """Return the running loop of uvloop, whose own frames are not to be seen.

    It is looked for among a frame's variables and among what these know, as a runner or a server does.
    """
    kinds = tuple(asyncio_.uvloops())
    if not kinds or kind_of(frame.f_code.co_filename) not in (USER, LIBRARY):
        return None
    things = list(frame.f_locals.values())
    things += [known for thing in things for known in list(dict_of(thing).values())[:MOST_KNOWN]]
    found = [getattr(x, "_loop", None) if is_a(x, runners.Runner) else x for x in things]
    return next((loop for loop in found if is_a(loop, kinds) and loop.is_running()), None)


def main_of(loop: Any) -> Any:
    """Return the task until whose end a loop runs, `None` if there is none: it is to stop the loop."""
    for task in tasks_of(loop):
        names = [getattr(pair[0], "__qualname__", "") for pair in getattr(task, "_callbacks", None) or ()]
        if any("run_until_complete" in str(name) for name in names):
            return task
    return None


def hidden_here() -> Any:
    """Return uvloop's loop if this thread runs it and no task is in the middle of a step."""
    loop = asyncio_.running_loop()
    hidden = loop is not None and is_a(loop, tuple(asyncio_.uvloops()))
    return loop if hidden and asyncio_.running_task() is None else None


def is_idle(top: FrameType | None) -> bool:
    """Tell whether a loop waits for events in a stack, instead of running somebody's code."""
    for frame in stack(top):
        code = frame.f_code
        if code in (FOREVER, RUN):
            return True
        if code in asyncio_.STEPS or kind_of(code.co_filename) not in (SKIP, LOOP):
            return hidden_loop(frame) is not None
    return False


def tasks_of(loop: Any) -> list[Any]:
    """Return the pending tasks of a loop that another thread may be running."""
    try:
        return asyncio_.tasks_of(loop)
    except Exception:  # noqa: BLE001 -- a loop of the user's own kind
        return []


def test_of(loop: Any, main: Any) -> Any:
    """Return the task that runs the user's code: anyio hands tests and fixtures to a task of its own."""
    if not is_a(main, asyncio.Task) or anyio_.backend() is None:
        return main
    called = getattr(getattr(anyio_.backend(), "TestRunner", None), "_call_in_runner_task", None)
    code: CodeType | None = getattr(getattr(called, "__wrapped__", called), "__code__", None)
    own = getattr(asyncio_.coro_of(main), "cr_code", None)
    if own is None or (own is not code and own.co_name != "call_in_runner_task"):
        return main
    return next((task for task in tasks_of(loop) if anyio_.is_machinery(task)), main)


def child_of(main: Any) -> Any:
    """Return a task that a loop turns for: of a gather, as at the end of a runner, one that is pending."""
    children = getattr(main, "_children", None) or ()
    pending = [child for child in children if is_a(child, asyncio.Task) and not child.done()]
    return pending[0] if pending else main


def leaf_of(task: Any) -> Any:
    """Return the task at the end of a chain of tasks that await each other."""
    seen: set[int] = set()
    while len(seen) < MOST_TASKS:
        seen.add(id(task))
        waiter = asyncio_.waiter_of(task)
        if not is_a(waiter, asyncio.Task) or waiter.done() or id(waiter) in seen:
            break
        task = waiter
    return task


def wake(task: Any, failure: BaseException) -> bool:
    """Throw an exception into a suspended task where it waits; tell whether that was possible.

    The task is woken by another future than the one it waits for: one that is done already.  Unlike
    `cancel()` this says what is thrown, and it ends also tasks that await each other in a circle.
    To be called in the thread of the task's loop.  A future that is no task is cancelled.
    """
    if not is_a(task, asyncio.Task):
        return bool(task.cancel())
    waiter = asyncio_.waiter_of(task)
    waiting = getattr(waiter, "_callbacks", None) or ()
    found = next((pair for pair in waiting if getattr(pair[0], "__self__", None) is task), None)
    if waiter is None or found is None or waiter.done():
        return False
    loop = asyncio_.loop_of(task)
    substitute = loop.create_future()
    substitute.set_exception(failure)
    waiter.remove_done_callback(found[0])
    loop.call_soon(found[0], substitute, context=found[1])
    if getattr(waiter, "_children", None):
        waiter.add_done_callback(_retrieve)
        waiter.cancel()  # a gather: nobody else would end its children
    return True


def _retrieve(future: Any) -> None:
    """Take the exception of a future for which nobody waits any more, so that nobody complains."""
    if not future.cancelled():
        future.exception()


def throw(ident: int, kind: type[BaseException] | None) -> None:
    """Let an exception come up in a thread as soon as it runs Python code; `None` takes that back."""
    what = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), what)


def start_unseen(thread: threading.Thread) -> None:
    """Start a thread in the way that nobody watches."""
    start: Any = threading.Thread.start
    while hasattr(start, "__wrapped__"):  # the watch wraps it, and so does a storm
        start = start.__wrapped__
    start(thread)
