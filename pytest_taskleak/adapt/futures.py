"""What of `concurrent.futures` and `threading` is read?

Workers of executors are told by the executor, hence the way from a thread to its pool.
"""

import concurrent.futures
import functools
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import thread as pools
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType
from typing import Any

from pytest_taskleak.adapt.code import PACKAGE, SKIP, kind_of
from pytest_taskleak.safely import is_a

BOOTSTRAP = ("Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run", "_worker", "_WorkItem.run")

Executor = concurrent.futures.Executor
ThreadPoolExecutor = concurrent.futures.ThreadPoolExecutor
WORK_ITEM: Any = getattr(pools, "_WorkItem", None)
_WORKER = getattr(pools, "_worker", None)


def work_items() -> list[Any]:
    """Return the class of what executors queue, if it is where it was."""
    return [] if WORK_ITEM is None else [WORK_ITEM]


def pool_of(thread: threading.Thread) -> Any:
    """Return the executor that started a thread, `True` if that is gone, or `None`."""
    if _WORKER is not None and getattr(thread, "_target", None) is _WORKER:
        args: Any = getattr(thread, "_args", ())
        return (args[0]() if args else None) or True
    process = sys.modules.get("concurrent.futures.process")
    manager = getattr(process, "_ExecutorManagerThread", None)
    if manager is not None and is_a(thread, manager):
        return thread.executor_reference() or True
    return None


def is_open(executor: Executor) -> bool:
    """Tell whether an executor was not shut down and has workers that live."""
    if getattr(executor, "_shutdown", False) or getattr(executor, "_shutdown_thread", False):
        return False
    workers = getattr(executor, "_threads", None)
    if workers is not None:
        return any(thread.is_alive() for thread in list(workers))
    return bool(getattr(executor, "_processes", None))


def pool_name(executor: Executor) -> str:
    """Return the prefix of an executor's workers."""
    return str(getattr(executor, "_thread_name_prefix", "") or type(executor).__name__)


def running_work() -> Iterator[tuple[int, Any]]:
    """Yield (thread ident, work item) of every executor thread that works just now."""
    run = getattr(getattr(WORK_ITEM, "run", None), "__wrapped__", getattr(WORK_ITEM, "run", None))
    code = getattr(run, "__code__", None)
    for ident, top in sys._current_frames().items():  # noqa: SLF001
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code is code:
                yield ident, frame.f_locals.get("self")
                break
            frame = frame.f_back


def queued_work(executor: Executor) -> Iterator[Any]:
    """Yield the work items that no worker has taken yet."""
    import gc

    queue = getattr(executor, "_work_queue", None)
    level = [queue] if queue is not None else []
    for _ in range(3):  # the queue, its list or deque, the items
        level = [x for thing in level for x in gc.get_referents(thing) if not is_a(x, type)]
        yield from (x for x in level if WORK_ITEM is not None and is_a(x, WORK_ITEM))


def futures_of(executor: Executor) -> Iterator[Any]:
    """Yield the futures of the work that an executor has taken or queued."""
    idents = {thread.ident for thread in list(getattr(executor, "_threads", None) or ())}
    yield from (item.future for ident, item in running_work() if ident in idents)
    yield from (item.future for item in queued_work(executor))


def work_of(future: Any) -> tuple[int | None, Any]:
    """Return (ident of the working thread, function) of a future that is being worked on."""
    for ident, item in running_work():
        if getattr(item, "future", None) is future:
            task = getattr(item, "task", None)  # 3.14: (function, arguments, keywords)
            return ident, getattr(item, "fn", None) or (task[0] if is_a(task, tuple) else None)
    return None, None


def target_of(thread: threading.Thread) -> Any:
    """Return what a thread runs: its target, its function (timers) or its own `run`."""
    if is_a(thread, threading.Timer):
        return thread.function
    target = getattr(thread, "_target", None)
    return target if target is not None else type(thread).run


def stack_of(ident: int | None) -> list[tuple[Any, int]]:
    """Return (code, line) of a running thread, outermost first."""
    frame: FrameType | None = sys._current_frames().get(ident or -1)  # noqa: SLF001
    stack: list[tuple[Any, int]] = []
    while frame is not None:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            stack.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return stack[::-1]


def blocked_in(ident: int | None) -> str:
    """Name the call into the standard library in which a thread stands, as `queue.Queue.get()`."""
    name = ""
    for code, _ in stack_of(ident):
        if kind_of(code.co_filename) != SKIP:
            name = ""
        elif not name and code.co_qualname not in BOOTSTRAP:
            module = os.path.basename(code.co_filename).removesuffix(".py")
            name = f"{module}.{code.co_qualname}()"
    return name


def describe(function: Any) -> tuple[str, str]:
    """Return (module, qualified name) of a callable without running its code."""
    while is_a(function, functools.partial):
        function = function.func
    if is_a(function, MethodType):
        function = function.__func__
    compiled = type(function).__module__.startswith("_cython")
    if not compiled and not is_a(function, FunctionType | BuiltinFunctionType | type):
        function = type(function)
    return str(function.__module__ or ""), str(function.__qualname__)


def bound_to(function: Any) -> tuple[Any, ...]:
    """Return the object that a callable is a method of, if it is one."""
    while is_a(function, functools.partial):
        function = function.func
    if is_a(function, MethodType) or type(function).__module__ in ("builtins", "uvloop.loop"):
        owner = getattr(function, "__self__", None)
        return () if owner is None or is_a(owner, type(sys)) else (owner,)
    return ()
