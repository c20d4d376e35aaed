"""Which call of the standard library is a wait, and which C function does a frame stand in?

Tables only, and the look-up of the callee; no function of the user is called.
"""

from __future__ import annotations

import _queue
import ast
import asyncio
import os
import select
from types import BuiltinFunctionType, CodeType, FrameType, MethodDescriptorType, ModuleType
from typing import Any, NamedTuple

from pytest_taskleak.adapt import sockets
from pytest_taskleak.adapt.expressions import MISSING, Call, call_at, local, resolve, stored
from pytest_taskleak.adapt.thread_stacks import CONDITION, Lock, PyRLock, RLock, Step
from pytest_taskleak.safely import attribute, is_a

WAITS: dict[str, tuple[str, str]] = {
    "threading.Event.wait": ("event", "self"),
    "threading.Condition.wait": ("condition", "self"),
    "threading.Condition.wait_for": ("condition", "self"),
    "threading.Condition.__enter__": ("lock", "self"),
    "threading.Semaphore.acquire": ("semaphore", "self"),
    "threading.Barrier.wait": ("barrier", "self"),
    "threading.Thread.join": ("join", "self"),
    "threading.Thread.start": ("event", "self"),
    "threading._RLock.acquire": ("rlock", "self"),
    "threading.Timer.run": ("sleep", "self"),
    "threading._shutdown": ("join", ""),
    "queue.Queue.get": ("queue", "self"),
    "queue.Queue.put": ("queue", "self"),
    "queue.Queue.join": ("queue", "self"),
    "queue._PySimpleQueue.get": ("queue", "self"),
    "concurrent.futures._base.Future.result": ("future", "self"),
    "concurrent.futures._base.Future.exception": ("future", "self"),
    "concurrent.futures._base.wait": ("future", "fs"),
    "concurrent.futures._base.as_completed": ("future", "fs"),
    "concurrent.futures.process._ExecutorManagerThread.run": ("idle-worker", "self"),
    "multiprocessing.pool.Pool._handle_workers": ("idle-worker", "pool"),
    "multiprocessing.pool.Pool._handle_tasks": ("idle-worker", "pool"),
    "multiprocessing.pool.Pool._handle_results": ("idle-worker", ""),
    "multiprocessing.pool.ApplyResult.get": ("future", "self"),
    "multiprocessing.pool.ApplyResult.wait": ("future", "self"),
    "multiprocessing.pool.IMapIterator.next": ("future", "self"),
    "multiprocessing.queues.Queue._feed": ("idle-worker", ""),
    "multiprocessing.queues.Queue.get": ("queue", "self"),
    "multiprocessing.queues.Queue.put": ("queue", "self"),
    "multiprocessing.queues.JoinableQueue.join": ("queue", "self"),
    "multiprocessing.queues.SimpleQueue.get": ("queue", "self"),
    "multiprocessing.process.BaseProcess.join": ("process", "self"),
    "multiprocessing.synchronize.SemLock.__enter__": ("lock", "self"),
    "multiprocessing.synchronize.Condition.wait": ("condition", "self"),
    "multiprocessing.synchronize.Event.wait": ("event", "self"),
    "asyncio.base_events.BaseEventLoop.run_forever": ("loop", "self"),
}
"""Full name of the code -> (kind of the wait, the local variable that holds the primitive)."""
FILES = {
    "socket": ("socket", "self"),
    "ssl": ("socket", "self"),
    "selectors": ("socket", "self"),
    "multiprocessing.connection": ("socket", "self"),
    "subprocess": ("process", "self"),
}
"""The same for every function of a module."""
IDLE = frozenset({"concurrent.futures.thread._worker", "multiprocessing.pool.worker"})
"""Where a worker without work stands: it is the innermost frame then."""
LIBRARY_IDLE = ("anyio._backends._asyncio.WorkerThread.run", "trio._core._thread_cache.WorkerThread._work")
PUBLIC = {
    "asyncio.base_events": "asyncio",
    "asyncio.runners": "asyncio",
    "concurrent.futures._base": "concurrent.futures",
    "threading._RLock": "threading.RLock",
}
"""Private name -> the one that people know."""

TAKES = frozenset({"acquire", "acquire_lock", "__enter__", "_acquire_restore"})
FUNCTIONS: dict[str, str] = {
    "time.sleep": "sleep",
    "select.select": "socket",
    **dict.fromkeys(("os.waitpid", "os.wait", "os.wait3", "os.wait4", "os.waitid"), "process"),
}
"""C functions that wait."""
_POLLS = tuple(
    kind for name in ("epoll", "kqueue", "devpoll") if (kind := getattr(select, name, None)) is not None
)
SOCKET_WAITS = ("accept", "connect", "recv", "send")
"""How the names of the waiting methods of a socket begin."""
RUN_LOOP = ("run_forever", "run_until_complete")
SYSTEM = {"posix": "os", "nt": "os", "_io": "io"}
"""The module that people know a C function by."""


_NAME = type.__dict__["__name__"].__get__
"""Asks no metaclass."""


class CCall(NamedTuple):
    """A C function in which a frame stands, the object that it is a method of, and how it was called."""

    function: str
    thing: Any
    call: Call


def what_of(name: str) -> str:
    """Return the text for a full name: `threading.Event.wait()`."""
    for private, public in PUBLIC.items():
        if name.startswith(private + "."):
            name = public + name.removeprefix(private)
    return f"{name}()"


def c_call(step: Step) -> CCall | None:
    """Return the C function that a frame calls just now, `None` where that cannot be looked up."""
    call = call_at(step.code, step.offset)
    if call is None:
        return None
    if call.method == "__enter__":
        thing = resolve(call.tree, step.frame)
        return None if thing is MISSING else CCall("__enter__", thing, call)
    if not isinstance(call.tree, ast.Attribute):
        return _plain(resolve(call.tree, step.frame), call)
    owner = resolve(call.tree.value, step.frame)
    if owner is MISSING:
        return None
    if is_a(owner, ModuleType | type):
        return _plain(stored(owner, call.method), call)
    found = attribute(owner, call.method)
    if type(found) is BuiltinFunctionType:
        return _plain(found, call)
    if type(found) is MethodDescriptorType or is_a(owner, asyncio.AbstractEventLoop):
        return CCall(call.method, owner, call)
    return None


def _plain(function: Any, call: Call) -> CCall | None:
    if type(function) is not BuiltinFunctionType:
        return None
    owner = function.__self__
    if owner is not None and not is_a(owner, ModuleType):
        return CCall(function.__name__, owner, call)
    module: Any = function.__module__
    return CCall(f"{SYSTEM.get(module, module)}.{function.__name__}", None, call)


def kind_of_call(made: CCall) -> tuple[str, str]:
    """Return the kind of the wait of a C function and its text, the kind empty if it is none."""
    function, thing = made.function, made.thing
    name = _NAME(type(thing))
    if type(thing) is Lock and function in TAKES:
        return "lock", "threading.Lock.acquire()"
    if type(thing) is RLock and function in TAKES:
        return "rlock", "threading.RLock.acquire()"
    if is_a(thing, _queue.SimpleQueue) and function == "get":
        return "queue", "queue.SimpleQueue.get()"
    if is_a(thing, sockets.RAW) and function.startswith(SOCKET_WAITS):
        return "socket", f"socket.{function}()"
    if _POLLS and is_a(thing, _POLLS):
        return "socket", f"select.{name}.{function}()"
    if is_a(thing, asyncio.AbstractEventLoop) and function in RUN_LOOP:
        return "loop", f"{name}.{function}()"
    if name == "SemLock" and function in TAKES:
        return "lock", "multiprocessing.Lock.acquire()"
    return FUNCTIONS.get(function, ""), f"{function}()" if thing is None else f"{name}.{function}()"


def number(tree: ast.expr | None, frame: FrameType) -> int | float | None:
    """Return a plain number that an expression names, `None` for anything else."""
    value = MISSING if tree is None else resolve(tree, frame)
    return value if type(value) in (int, float) else None


def is_timed(step: Step) -> bool:
    """Tell whether a wait of the standard library was given a timeout."""
    timeout = local(step.frame, "timeout")
    return timeout is not MISSING and timeout is not None


def call_is_timed(made: CCall, frame: FrameType) -> bool:
    """Tell whether a call of a C function ends by itself; in doubt it does."""
    if made.function == "time.sleep":
        return True
    if is_a(made.thing, sockets.RAW):
        return sockets.RAW.gettimeout(made.thing) is not None
    given = next((k.value for k in made.call.keywords if k.arg == "timeout"), None)
    if given is None and len(made.call.args) > 1 and type(made.thing) in (Lock, RLock, _queue.SimpleQueue):
        given = made.call.args[1]
    if given is None:
        return any(k.arg is None for k in made.call.keywords) or any(
            isinstance(arg, ast.Starred) for arg in made.call.args
        )
    if isinstance(given, ast.UnaryOp):
        return False  # `timeout=-1` waits for ever
    value = resolve(given, frame)
    return value is not None and not (type(value) in (int, float) and value < 0)


def never_waits(made: CCall, frame: FrameType) -> bool:
    """Tell whether a lock or queue is only tried: `acquire(False)`, `get(timeout=0)`."""
    if type(made.thing) not in (Lock, RLock, _queue.SimpleQueue):
        return False
    given = [*made.call.args[:2], *(k.value for k in made.call.keywords if k.arg)]
    values = [resolve(tree, frame) for tree in given]
    return any(value is False or (type(value) in (int, float) and value == 0) for value in values)


def lock_of_condition(condition: Any) -> tuple[str, Any]:
    """Return the kind of lock of a condition, and the lock."""
    lock = stored(condition, "_lock")
    return ("rlock" if type(lock) in (RLock, PyRLock) else "lock"), lock


def reacquires(steps: list[Step]) -> bool:
    """Tell whether a `Condition.wait()` among some steps was notified and waits for its lock now."""
    calls = [call_at(step.code, step.offset) for step in steps if step.name == CONDITION]
    return any(call is not None and call.method == "_acquire_restore" for call in calls)


def is_idle(stack: list[Step], start: int) -> bool:
    """Tell whether a thread is the worker of a pool and has no work."""
    if stack[-1].name in IDLE:
        return True
    at = min(start, len(stack)) - 1
    return at >= 0 and stack[at].name in LIBRARY_IDLE and _quiet(stack[at + 1 :])


def _quiet(steps: list[Step]) -> bool:
    return not steps or steps[0].name == "queue.Queue.get"


def path_of(code: CodeType, line: int) -> str:
    """Return `file.py:line`."""
    return f"{os.path.basename(code.co_filename)}:{line}"
