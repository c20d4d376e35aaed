"""Does a call of C block until somebody else does something, and how is it seen that they did?

The call is read off the source of the frame that makes it; what is no wait that is known here is work.
"""

from __future__ import annotations

import _queue
import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any
from weakref import ref

from pytest_taskleak.adapt import blocking_fds, sockets
from pytest_taskleak.adapt.expressions import CODES, Call, call_at, resolve, segment
from pytest_taskleak.adapt.thread_stacks import Lock, RLock, Step, label
from pytest_taskleak.adapt.thread_waits import CCall, c_call, call_is_timed, kind_of_call, never_waits, number
from pytest_taskleak.safely import is_a

Waits = Callable[[], bool]
empty = _queue.SimpleQueue.empty


@dataclass(slots=True, frozen=True)
class Place:
    """Where a thread stands.

    Parameters:
        waits: tells whether what it waits for has not come yet, `None` if it runs; true of the thread only as
            long as that executes nothing.
        sure: what it waits for tells all.  Otherwise the thread may have got it, and
            wait for the interpreter.
        timed: the wait ends by itself.
        idle: it is a worker of a pool, without work.
        outside: somebody outside of this process may end the wait.
        handed: what it waits for may be handed to it, and nothing but the thread itself shows that.
    """

    waits: Waits | None = None
    sure: bool = False
    timed: bool = False
    idle: bool = False
    outside: bool = False
    handed: bool = False


RUNS = Place()


def in_c(ident: int, frame: FrameType, wrapper: FrameType | None) -> Place:
    """Tell of a frame that calls a function of C whether that waits.

    Parameters:
        ident: the thread.
        frame: its innermost frame.
        wrapper: a frame upon that one which stands for the call.
    """
    step = Step(frame, frame.f_code, frame.f_lasti, *label(frame.f_code))
    made = (c_call(step) or _method(step)) if wrapper is None else _behind(step, wrapper)
    if made is None or never_waits(made, frame):
        return RUNS
    thing, kind = made.thing, kind_of_call(made)[0]
    timed = bool(kind) and call_is_timed(made, frame)
    if kind in ("lock", "rlock"):
        return on_lock(thing, ident, timed=timed)
    if is_a(thing, _queue.SimpleQueue) and kind == "queue":
        queue = ref(thing)
        return Place(lambda: (own := queue()) is not None and empty(own), timed=timed, handed=True)
    return _on_socket(made, step, timed=timed)


def on_lock(lock: Any, ident: int, *, timed: bool = False) -> Place:
    """Tell of a thread that wants to take a lock."""
    if type(lock) is Lock:
        plain = ref(lock)
        return Place(lambda: (own := plain()) is not None and own.locked(), timed=timed, handed=True)
    if type(lock) is RLock:
        reentrant = ref(lock)
        return Place(lambda: _held_by_other(reentrant(), ident), timed=timed, handed=True)
    return RUNS


def _method(step: Step) -> CCall | None:
    """Return the method of C that has another name here, or over whose results a `for` goes."""
    call = call_at(step.code, step.offset) or _looping(step.code, step.offset)
    if call is None:
        return None
    tree: ast.expr = call.tree
    if isinstance(tree, ast.Name) and tree.id == "iter" and call.args:
        tree, call = call.args[0], call._replace(args=())
    if isinstance(tree, ast.Attribute):
        return CCall(tree.attr, resolve(tree.value, step.frame), call)
    function = resolve(tree, step.frame)
    return CCall(function.__name__, function.__self__, call) if is_a(function, BuiltinFunctionType) else None


@lru_cache(maxsize=CODES)
def _looping(code: CodeType, offset: int) -> Call | None:
    """Return the call over whose results a `for` goes that stands at an offset."""
    try:
        body = ast.parse(segment(code, offset).strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    made = body[0].iter if body and isinstance(body[0], ast.For) else None
    return Call(made.func, "", tuple(made.args)) if isinstance(made, ast.Call) else None


def _behind(step: Step, wrapper: FrameType) -> CCall | None:
    """Return the call for which a wrapper stands."""
    call = call_at(step.code, step.offset)
    args = wrapper.f_locals.get("args")
    thing = args[0] if type(args) is tuple and args else None
    return None if call is None else CCall(call.method, thing, call)


def _held_by_other(lock: Any, ident: int) -> bool:
    said = "" if lock is None else repr(lock)
    return "owner=" in said and "owner=0 " not in said and f"owner={ident} " not in said


def _on_socket(made: CCall, step: Step, *, timed: bool) -> Place:
    """Tell of a call that waits for a descriptor."""
    function = made.function.lstrip("_")
    thing: Any = made.thing
    if made.function == "os.read":
        fd = number(made.call.args[0] if made.call.args else None, step.frame)
        return on_fd(fd, blocking_fds.READ)
    if step.name.startswith("ssl.SSLSocket."):
        thing = step.frame.f_locals.get("self")
    if is_a(thing, sockets.RAW):
        if function.startswith(("recv", "accept", "read")):
            return on_fd(sockets.fileno(thing), blocking_fds.READ, timed=timed)
        return on_fd(sockets.fileno(thing), blocking_fds.WRITE, timed=timed) if "send" in function else RUNS
    if function == "poll" and type(thing).__name__ == "epoll":
        return on_fd(thing.fileno(), blocking_fds.READ, timed=timed)
    return RUNS


def on_fd(fd: Any, event: int, *, timed: bool = False) -> Place:
    """Tell of a thread that waits until a descriptor is ready."""
    if type(fd) is not int or fd < 0:
        return RUNS
    watched = ((fd, event),)
    return Place(lambda: blocking_fds.silent(watched), timed=timed, outside=not blocking_fds.is_ours(fd))
