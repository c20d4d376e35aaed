"""Which pools work by processes, and which process or thread is part of one?

`concurrent.futures.ProcessPoolExecutor`, loky's and joblib's copies of it, and the pools of
`multiprocessing`.  A pool is noted when it is made, because its workers do not name it; they share a
queue with it.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Iterable
from types import FunctionType, MethodType
from typing import Any

from pytest_taskleak.adapt import processes
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.safely import is_a

LOKY = ("loky", "joblib.externals.loky")
EXECUTORS = ("concurrent.futures.process", *(f"{name}.process_executor" for name in LOKY))
QUEUES = ("multiprocessing.queues", *(f"{name}.backend.queues" for name in LOKY))
POOLS = "multiprocessing.pool"
HANDLERS = ("_handle_workers", "_handle_tasks", "_handle_results")
CLOSED, TERMINATED = "CLOSE", "TERMINATE"
"""States of a pool of `multiprocessing`."""

_known: dict[int, weakref.ref[Any]] = {}


def loaded(names: Iterable[str], attribute: str) -> list[Any]:
    """Return an attribute of those modules that somebody has imported."""
    found = [getattr(sys.modules.get(name), attribute, None) for name in names]
    return [each for each in found if each is not None]


def executors() -> Iterable[type]:
    """Return the classes of executors with processes."""
    return loaded(EXECUTORS, "ProcessPoolExecutor")


def classes() -> Iterable[type]:
    """Return the class of `multiprocessing`'s pools, if it is imported."""
    return loaded([POOLS], "Pool")


def work_items() -> Iterable[type]:
    """Return the classes of what executors with processes have to do."""
    return loaded(EXECUTORS, "_WorkItem")


def is_pool(thing: Any) -> bool:
    """Tell whether a thing is a pool of `multiprocessing`, of processes or threads."""
    return is_a(thing, tuple(classes()))


def note(pool: Any) -> None:
    """Know a pool from here on."""
    key = id(pool)
    _known[key] = weakref.ref(pool, lambda _: _known.pop(key, None))


def known() -> list[Any]:
    """Return the pools that live."""
    return [pool for reference in list(_known.values()) if (pool := reference()) is not None]


def pool_of_process(process: Any) -> Any:
    """Return the pool that is starting a process; `True` if it is not known, `None` if there is none."""
    target = vars(process).get("_target")
    serving = [*loaded(EXECUTORS, "_process_worker"), *loaded([POOLS], "worker")]
    if not any(target is function for function in serving):
        return None
    queue = next(iter(vars(process).get("_args") or ()), None)
    for pool in known() if queue is not None else ():
        if vars(pool).get("_call_queue") is queue or vars(pool).get("_inqueue") is queue:
            return pool
    return True


def serves_pool(thread: threading.Thread) -> bool:
    """Tell whether a thread that starts manages or handles a pool, works for one, or feeds its queue."""
    if is_a(thread, tuple(loaded(EXECUTORS, "_ExecutorManagerThread"))):
        return True
    code = code_of(getattr(thread, "_target", None))
    if code is None:
        return False
    pool = next(iter(classes()), None)
    handlers = [getattr(pool, name, None) for name in HANDLERS]
    if any(code_of(part) is code for part in (*loaded([POOLS], "worker"), *handlers)):
        return True
    if not any(code_of(getattr(queue, "_feed", None)) is code for queue in loaded(QUEUES, "Queue")):
        return False
    buffer: Any = next(iter(getattr(thread, "_args", ())), None)
    queues = [vars(each).get("_call_queue") for each in known()]
    return any(queue is not None and getattr(queue, "_buffer", None) is buffer for queue in queues)


def code_of(function: Any) -> Any:
    """Return the code of a function or of a method, of the user's own callables none."""
    function = function.__func__ if is_a(function, MethodType) else function
    return function.__code__ if is_a(function, FunctionType) else None


def workers(pool: Any) -> list[Any]:
    """Return the processes or threads that work for a pool."""
    processes_ = vars(pool).get("_processes")
    if is_a(processes_, dict):
        return list(processes_.values())
    return list(vars(pool).get("_pool") or ())


def threads_of(pool: Any) -> set[threading.Thread]:
    """Return the threads that work for an executor; none where that cannot be known."""
    return set(getattr(pool, "_threads", None) or ())


def is_open(pool: Any) -> bool:
    """Tell whether a pool was not shut down, or not joined after it was closed, and has live workers."""
    if is_pool(pool):
        if vars(pool).get("_state") == TERMINATED:
            return False
    elif vars(pool).get("_shutdown_thread") or getattr(vars(pool).get("_flags"), "shutdown", False):
        return False
    return any(map(lives, workers(pool)))


def is_closed(pool: Any) -> bool:
    """Tell whether a pool of `multiprocessing` was closed; its workers end when their work is done."""
    return bool(vars(pool).get("_state") == CLOSED)


def has_processes(pool: Any) -> bool:
    """Tell whether the workers of a pool are processes."""
    return any(not is_a(worker, threading.Thread) for worker in workers(pool))


def shut_down(executor: Any) -> None:
    """Shut an executor with processes down without waiting; loky's knows no futures to cancel."""
    if vars(executor).get("_flags") is None:
        executor.shutdown(wait=False, cancel_futures=True)
    else:
        executor.shutdown(wait=False)


def terminate(pool: Any) -> None:
    """Terminate a pool without waiting: a worker that ignores signals would keep us.

    The thread that waits instead is started in the way that nobody watches.
    """
    thread = threading.Thread(target=pool.terminate, name="taskleak-terminate", daemon=True)
    getattr(threading.Thread.start, "__wrapped__", threading.Thread.start)(thread)


def lives(worker: Any) -> bool:
    """Tell whether a worker of a pool lives, without reaping it."""
    if is_a(worker, threading.Thread):
        return bool(worker.is_alive())
    return not processes.ended(worker)


def pending(pool: Any) -> list[Any]:
    """Return the work items of an executor that are not done, the running ones first."""
    return list((vars(pool).get("_pending_work_items") or {}).values())


def work_of(future: Any) -> Any:
    """Return the work item of an executor with processes that a future belongs to."""
    items = (item for pool in known() for item in pending(pool))
    return next((item for item in items if getattr(item, "future", None) is future), None)


def function_in(ident: int | None) -> Any:
    """Return what a worker thread of a pool is busy with, if it is."""
    code = code_of(next(iter(loaded([POOLS], "worker")), None))
    frame = current_frames().get(ident or -1)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    if frame is None:
        return None
    function, args = frame.f_locals.get("func"), frame.f_locals.get("args")
    mapping = [*loaded([POOLS], "mapstar"), *loaded([POOLS], "starmapstar")]
    if any(function is each for each in mapping) and type(args) is tuple and args and type(args[0]) is tuple:
        return args[0][0]  # (function, some of the arguments)
    return function


def unfinished(pool: Any) -> int:
    """Return how many calls of a pool of `multiprocessing` have no result yet."""
    return len(vars(pool).get("_cache") or ())
