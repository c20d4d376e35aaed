"""For what does the interpreter wait when the process ends, and when does it begin to?

It joins the threads that are no daemons, the workers of executors that still have work, and the children
of `multiprocessing` that are no daemons.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pytest_taskleak.adapt import futures, processes, running


class Blocker(NamedTuple):
    """One thing without whose end the process cannot end.

    Parameters:
        kind: `thread`, `executor call`, `pool` or `process`.
        name: what it is called.
        things: it, and whatever else may be told of it: the executor, the future of the call.
        ident: the thread to look at, if there is one.
    """

    kind: str
    name: str
    things: tuple[Any, ...]
    ident: int | None = None


def blockers() -> Iterator[Blocker]:
    """Yield what the interpreter would wait for if it ended now; what is idle ends when it is told to."""
    work = dict(futures.running_work())
    known = running.threads()
    served: set[int] = set()
    for ident, thread in known.items():
        if thread is threading.main_thread() or getattr(thread, "_daemonic", True):
            continue
        if not threading.Thread.is_alive(thread):
            continue
        pool = futures.pool_of(thread)
        served |= set(getattr(thread, "processes", None) or ()) if pool is not None else set()
        name = running.name_of(ident, known)
        if pool is None:
            yield Blocker("thread", name, (thread,), ident)
        elif ident in work:
            item = work[ident]
            what = futures.describe(futures.function_of(item))[1]
            called = f"{what}() in thread {name!r}"
            yield Blocker("executor call", called, (thread, pool, getattr(item, "future", None)), ident)
        elif (count := len(getattr(thread, "pending_work_items", None) or ())) > 0:
            calls = f"{count} call{'s' if count > 1 else ''}"
            yield Blocker("pool", f"{name!r} of processes, which has {calls} to do", (thread, pool), ident)
    yield from (child for child in children() if processes.pid_of(child.things[0]) not in served)


def children() -> Iterator[Blocker]:
    """Yield the living children of `multiprocessing` that are no daemons."""
    module: Any = sys.modules.get("multiprocessing.process")
    for process in list(getattr(module, "_children", ())):
        if processes.is_daemon(process):
            continue
        pid = processes.pid_of(process)
        if pid is not None and processes.Child(pid, None, process=process).look() == processes.RUNNING:
            name = getattr(process, "_name", "")
            yield Blocker("process", f"{name!r} (pid {pid})", (process, processes.child_of(process)))


def end_children() -> None:
    """Kill the children of `multiprocessing`; for a process that ends without the interpreter's own steps."""
    module: Any = sys.modules.get("multiprocessing.process")
    for process in list(getattr(module, "_children", ())):
        pid = processes.pid_of(process)
        if pid is not None and processes.Child(pid, None, process=process).look() == processes.RUNNING:
            with contextlib.suppress(OSError):
                os.kill(pid, processes.KILL)


_acts: list[Callable[[], None]] = []


def at_exit(act: Callable[[], None]) -> None:
    """Call `act`, instead of what was given before, when the interpreter begins to end.

    That is before it joins any thread, so `atexit` would be too late.  Where that cannot be had, nothing
    is called.
    """
    register: Any = getattr(threading, "_register_atexit", None)
    if not _acts and register is not None:
        with contextlib.suppress(RuntimeError):  # it is ending already
            register(_act)
    _acts[:] = [act]


def _act() -> None:
    _acts[-1]()
