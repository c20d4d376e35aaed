"""Does a thread only wait for something that others must do, and how is it seen that they did?

A frame tells in which wait a thread stands, and the object that is waited for tells whether the wait still
goes on.  What is no wait that is known here is work.
"""

from __future__ import annotations

import _queue
import _thread
import ast
import os
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any
from weakref import ref

from pytest_taskleak.adapt import blocking_fds, details, futures
from pytest_taskleak.adapt.blocked import RUNS, Place, empty, in_c, on_fd, on_lock
from pytest_taskleak.adapt.code import PACKAGE, USER, kind_of
from pytest_taskleak.adapt.expressions import call_at
from pytest_taskleak.adapt.thread_stacks import Lock, label
from pytest_taskleak.safely import attribute

WRAPPERS = (os.path.join("blockbuster", "blockbuster.py"),)
"""Files whose functions stand for a call that blocks: the caller's frame is the one that waits."""
WORKER = "concurrent.futures.thread._worker"
PROCESSES = "concurrent.futures.process._ExecutorManagerThread.run"
MANAGERS = (PROCESSES, "multiprocessing.pool.Pool._handle_workers")
RESULTS = "multiprocessing.pool.Pool._handle_results"
MOST_FRAMES = 12
count_threads: Callable[[], int] = _thread._count
UNFINISHED = ("PENDING", "RUNNING")


def thread_of(ident: Any) -> Any:
    """Return the thread with this ident, `None` if `threading` knows none; without its lock."""
    return getattr(threading, "_active", {}).get(ident)


def begins() -> bool:
    """Tell whether a thread was started and has not begun."""
    return bool(getattr(threading, "_limbo", None))


def place_of(ident: int, top: FrameType, drained: Callable[[Any], bool]) -> Place:
    """Return where a thread stands; never raises.

    Parameters:
        ident: the thread.
        top: its innermost frame.
        drained: tells whether an executor certainly has no work that waits for a worker.
    """
    try:
        frame, wrapper = _unwrapped(top)
        if frame.f_code.co_filename.startswith(PACKAGE + os.sep):
            return RUNS
        name = label(frame.f_code)[1]
        if name == WORKER:
            return _worker(frame, drained)
        if name == "threading.Condition.__enter__":
            return on_lock(attribute(frame.f_locals.get("self"), "_lock"), ident)
        rule = RULES.get(name)
        found = rule(frame) if rule is not None else None
        return in_c(ident, frame, wrapper) if found is None else found
    except Exception:  # noqa: BLE001 -- odd objects of the user, or a thread that moved on meanwhile
        return RUNS


def waits_in(frame: FrameType) -> tuple[str, int, str]:
    """Return (path, line, function) of the user's code in which a thread stands, of any if there is none."""
    above: FrameType | None = frame
    while above is not None and kind_of(above.f_code.co_filename) != USER:
        above = above.f_back
    found = above or frame
    return found.f_code.co_filename, found.f_lineno or 0, found.f_code.co_name


def work_in(frame: FrameType) -> tuple[str, str] | None:
    """Return (function, pool) of what the thread of a pool works on, `None` if it does nothing for one."""
    above: FrameType | None = frame
    item, executor = None, None
    while above is not None:
        name = label(above.f_code)[1]
        if name == "concurrent.futures.thread._WorkItem.run":
            item = above.f_locals.get("self")
        elif name == WORKER:
            executor = above.f_locals["executor_reference"]()
        elif name == PROCESSES:
            manager = above.f_locals["self"]
            item = unfinished_of(attribute(manager, "pending_work_items") or {})
            executor = manager.executor_reference()
        above = above.f_back
    function = None if item is None else futures.function_of(item)
    if function is None:
        return None
    return details.function(function), "" if executor is None else futures.pool_name(executor)


def _unwrapped(frame: FrameType) -> tuple[FrameType, FrameType | None]:
    wrapper = None
    while frame.f_code.co_filename.endswith(WRAPPERS) and frame.f_back is not None:
        wrapper, frame = frame, frame.f_back
    return frame, wrapper


def _caller(frame: FrameType, names: tuple[str, ...]) -> FrameType | None:
    """Return the first frame outwards with one of these names, or in a module that is given with a dot."""
    above: FrameType | None = frame
    for _ in range(MOST_FRAMES):
        if above is None:
            return None
        name = label(above.f_code)[1]
        if any(name.startswith(word) if word[-1] == "." else name == word for word in names):
            return above
        above = above.f_back
    return None


def is_poll(timeout: object) -> bool:
    """Tell whether a wait only asks and does not rest."""
    return type(timeout) in (int, float) and timeout <= 0  # type: ignore[operator]


def _condition(frame: FrameType) -> Place | None:
    own = frame.f_locals
    waiter, waiters = own.get("waiter"), attribute(own.get("self"), "_waiters")
    if type(waiter) is not Lock or type(waiters) is not deque:
        return RUNS
    if waiter not in waiters:
        call = call_at(frame.f_code, frame.f_lasti)
        return None if call is not None and call.method == "_acquire_restore" else RUNS
    if is_poll(own.get("timeout")):
        return RUNS
    first, second = ref(waiters), ref(waiter)

    def waits() -> bool:
        queue, mine = first(), second()
        return queue is not None and mine in queue

    return Place(waits, sure=True, timed=own.get("timeout") is not None)


def _join(frame: FrameType) -> Place:
    own = frame.f_locals
    thread, timeout = own.get("self"), own.get("timeout")
    if timeout != -1 and is_poll(timeout):
        return RUNS
    ident, joined = attribute(thread, "_ident"), ref(thread)

    def waits() -> bool:
        target = joined()
        return target is not None and thread_of(ident) is target

    return Place(waits, sure=True, timed=timeout is not None and timeout != -1)


def _worker(frame: FrameType, drained: Callable[[Any], bool]) -> Place:
    """Tell of a worker of an executor with threads whether it has no work."""
    own = frame.f_locals
    call = call_at(frame.f_code, frame.f_lasti)
    queue, reference = own.get("work_queue"), own.get("executor_reference")
    if call is None or call.method != "get" or type(queue) is not _queue.SimpleQueue or reference is None:
        return RUNS
    works = ref(queue)

    def waits() -> bool:
        left, executor = works(), reference()
        if left is None or executor is None or not empty(left):
            return False
        return not vars(executor).get("_shutdown") and (not sure or drained(executor))

    sure = drained(reference())
    return Place(waits, sure=sure, idle=True)


def _trio_worker(frame: FrameType) -> Place:
    """Tell of a thread of trio whether it has no work: work is put down before the thread is woken."""
    worker = frame.f_locals.get("self")
    lock = attribute(worker, "_worker_lock")
    if type(lock) is not Lock:
        return RUNS
    return Place(lambda: lock.locked() and attribute(worker, "_job") is None, sure=True, idle=True)


def _selector(frame: FrameType) -> Place:
    own = frame.f_locals
    selector, timeout = own.get("self"), _seconds(own.get("timeout"))
    keys = attribute(selector, "_fd_to_key")
    if type(keys) is not dict or _caller(frame, ("subprocess.",)) is not None:
        return RUNS
    manager = _caller(frame, MANAGERS)
    watched = [(key[1], key[2]) for key in list(keys.values())]
    inner: Any = attribute(selector, "_selector")
    poll = [(inner.fileno(), blocking_fds.READ)] if hasattr(inner, "fileno") else _masks(watched)
    work = None if manager is None else attribute(manager.f_locals.get("self"), "pending_work_items")
    outside = manager is None and not all(blocking_fds.is_ours(fd) for fd, _ in watched)

    def waits() -> bool:
        return blocking_fds.silent(poll) and not (work and unfinished_of(work))

    timed = manager is None and timeout >= 0
    return Place(waits, timed=timed, outside=outside)


def _seconds(timeout: Any) -> float:
    """Return a timeout as a number, -1 for none."""
    return timeout if type(timeout) in (int, float) else -1


def _masks(watched: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(fd, (blocking_fds.READ * (e & 1 > 0)) | (blocking_fds.WRITE * (e & 2 > 0))) for fd, e in watched]


def unfinished_of(items: dict[Any, Any]) -> Any:
    """Return the first work item of a pool of processes whose result has not come, `None` without one."""
    return next((x for x in list(items.values()) if attribute(x.future, "_state") in UNFINISHED), None)


def _child(frame: FrameType) -> Place:
    """Tell of the thread of a child watcher: the child itself is judged elsewhere."""
    pid = frame.f_locals.get("expected_pid")

    def waits() -> bool:
        try:
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None  # type: ignore[arg-type]
        except OSError:
            return False

    return Place(waits)


def _pool_results(frame: FrameType) -> Place:
    """Tell of the thread that gets the results of a pool of `multiprocessing` whether there is no work."""
    cache = ref(frame.f_locals["cache"])
    return Place(lambda: not cache())


def _pool_other(frame: FrameType) -> Place:
    """Tell of the other threads of such a pool: what they have to do is told by the one for the results."""
    call = call_at(frame.f_code, frame.f_lasti)
    getting = call is None or (isinstance(call.tree, ast.Name) and call.tree.id in ("get", "iter"))
    return Place(lambda: True) if getting else RUNS


def _receive(frame: FrameType) -> Place:
    pool = _caller(frame, (RESULTS,))
    if pool is not None:
        return _pool_results(pool)
    return on_fd(frame.f_locals["handle"], blocking_fds.READ)


RULES: dict[str, Callable[[FrameType], Place | None]] = {
    "threading.Condition.wait": _condition,
    "threading.Thread._wait_for_tstate_lock": _join,  # up to 3.12
    "trio._core._thread_cache.WorkerThread._work": _trio_worker,
    "selectors.EpollSelector.select": _selector,
    "selectors.KqueueSelector.select": _selector,
    "selectors._PollLikeSelector.select": _selector,
    "selectors.SelectSelector.select": _selector,
    "asyncio.unix_events.ThreadedChildWatcher._do_waitpid": _child,
    "asyncio.unix_events._ThreadedChildWatcher._do_waitpid": _child,
    RESULTS: _pool_results,
    "multiprocessing.pool.Pool._handle_tasks": _pool_other,
    "multiprocessing.pool.worker": _pool_other,
    "multiprocessing.connection.Connection._recv": _receive,
}
if not hasattr(threading.Thread, "_wait_for_tstate_lock"):
    RULES["threading.Thread.join"] = _join
