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

from pytest_taskleak.adapt import pools as process_pools
from pytest_taskleak.adapt.code import PACKAGE, SKIP, kind_of
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.safely import is_a

BOOTSTRAP = (
    *("Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run"),
    *("_worker", "_WorkItem.run", "WorkerContext.run", "worker", "mapstar", "starmapstar"),
)

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
    return process_pools.serves_pool(thread) or None


def is_open(executor: Any) -> bool:
    """Tell whether an executor was not shut down and has workers that live."""
    threads = getattr(executor, "_threads", None)
    if threads is None:
        return process_pools.is_open(executor)
    return not getattr(executor, "_shutdown", False) and any(t.is_alive() for t in list(threads))


def workers(executor: Any) -> list[Any]:
    """Return the threads or processes that work for an executor."""
    threads = getattr(executor, "_threads", None)
    return process_pools.workers(executor) if threads is None else list(threads)


def pool_name(executor: Any) -> str:
    """Return the prefix of an executor's workers."""
    return str(getattr(executor, "_thread_name_prefix", "") or type(executor).__name__)


def running_work() -> Iterator[tuple[int, Any]]:
    """Yield (thread ident, work item) of every executor thread that works just now."""
    run = getattr(getattr(WORK_ITEM, "run", None), "__wrapped__", getattr(WORK_ITEM, "run", None))
    code = getattr(run, "__code__", None)
    top: FrameType | None = None
    frame: FrameType | None = None
    try:
        for ident, top in current_frames().items():
            frame = top
            while frame is not None:
                if frame.f_code is code:
                    yield ident, frame.f_locals.get("self")
                    break
                frame = frame.f_back
    finally:
        top = frame = None  # one may be this very frame, which would keep itself and what its callers hold


def queued_work(executor: Executor) -> Iterator[Any]:
    """Yield the work items that no worker has taken yet."""
    import gc

    queue = getattr(executor, "_work_queue", None)
    level = [queue] if queue is not None else []
    for _ in range(3):  # the queue, its list or deque, the items
        level = [x for thing in level for x in gc.get_referents(thing) if not is_a(x, type)]
        yield from (x for x in level if WORK_ITEM is not None and is_a(x, WORK_ITEM))


def works_of(executor: Any) -> Iterator[tuple[int | None, Any]]:
    """Yield (ident of the working thread, work item) of what an executor has taken or queued."""
    idents = {thread.ident for thread in list(getattr(executor, "_threads", None) or ())}
    yield from ((ident, item) for ident, item in running_work() if ident in idents)
    yield from ((None, item) for item in queued_work(executor))
    yield from ((None, item) for item in process_pools.pending(executor))


def futures_of(executor: Any) -> Iterator[Any]:
    """Yield the futures of the work that an executor has taken or queued."""
    yield from (item.future for _, item in works_of(executor))


def function_of(item: Any) -> Any:
    """Return the function that a work item calls."""
    task = getattr(item, "task", None)  # 3.14: (function, arguments, keywords)
    return getattr(item, "fn", None) or (task[0] if is_a(task, tuple) else None)


def work_of(future: Any) -> tuple[int | None, Any]:
    """Return (ident of the working thread, function) of a future that is being worked on."""
    for ident, item in running_work():
        if getattr(item, "future", None) is future:
            return ident, function_of(item)
    item = process_pools.work_of(future)
    return None, None if item is None else function_of(item)


def calls_of(executor: Any) -> tuple[int | None, list[Any], int]:
    """Return (ident of a busy worker thread, functions as far as known, count) of an executor's work."""
    if process_pools.is_pool(executor):
        idents = [getattr(worker, "ident", None) for worker in process_pools.workers(executor)]
        busy = [(ident, f) for ident in idents if (f := process_pools.function_in(ident)) is not None]
        count = max(len(busy), process_pools.unfinished(executor))
    else:
        busy = [(ident, function_of(item)) for ident, item in works_of(executor)]
        count = len(busy)
    return next((x for x, _ in busy), None), [f for _, f in busy if f is not None], count


def target_of(thread: threading.Thread) -> Any:
    """Return what a thread runs: its target, its function (timers) or its own `run`."""
    if is_a(thread, threading.Timer):
        return thread.function
    target = getattr(thread, "_target", None)
    return target if target is not None else type(thread).run


def stack_of(ident: int | None) -> list[tuple[Any, int]]:
    """Return (code, line) of a running thread, outermost first."""
    frame: FrameType | None = current_frames().get(ident or -1)
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
