"""Who could end the wait of a thread, and in which state is the thing that it waits for?

Owners of reentrant locks and workers of futures are exact; the holder of a plain lock is looked for in the
code that the other threads stand in, by identity.  A class of the user is never asked.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import queue
import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType
from typing import Any, NamedTuple

from pytest_taskleak.adapt import futures, sockets
from pytest_taskleak.adapt.code import ASYNCIO, line_of
from pytest_taskleak.adapt.expressions import MISSING, call_at, resolve, stored
from pytest_taskleak.adapt.thread_stacks import Held, Lock, Look, PyRLock, RLock, thread_name
from pytest_taskleak.adapt.thread_waits import RUN_LOOP, path_of
from pytest_taskleak.safely import is_a

_OWNER = re.compile(r"owner=(-?\d+) count=(\d+)")
"""What the `repr` of a reentrant lock says; `Modules/_threadmodule.c`, from 3.2 on."""


class Facts(NamedTuple):
    """What is known of a wait; for the parameters see `Standing`."""

    text: str = ""
    holder: int | None = None
    held_at: tuple[CodeType, int] | None = None
    calls_loop: Any = None
    among: tuple[int, ...] = ()
    sure: bool = True


def facts_of(kind: str, thing: Any, look: Look, ident: int) -> Facts:
    """Return what is known of a wait.

    Parameters:
        kind: the kind of the wait.
        thing: the primitive.
        look: the stacks of all threads.
        ident: the thread that waits.
    """
    how = FACTS.get(kind)
    return Facts() if how is None or thing is None or thing is MISSING else how(thing, look, ident)


# --- locks --------------------------------------------------------------------------------------


def _lock(thing: Any, look: Look, ident: int) -> Facts:
    if type(thing) in (RLock, PyRLock):
        return _rlock(thing, look, ident)
    if type(thing) is not Lock:
        return Facts()
    if not thing.locked():
        return Facts("free just now")
    found = _takings(thing, look)
    if len({held.ident for held in found}) != 1:
        return Facts(
            "no thread's code shows who holds it" if not found else "one of several threads holds it"
        )
    return _held(found[-1], ident)


def _held(held: Held, ident: int) -> Facts:
    who = "this very thread" if held.ident == ident else thread_name(held.ident)
    return Facts(f"held by {who}{_site(held)}", held.ident, (held.code, held.offset), sure=held.by_with)


def _site(held: Held) -> str:
    text = f"`{held.text}`" if held.text else "it"
    text = f"with {text}" if held.by_with else f"{text}.acquire()"
    return f" ({text} at {path_of(held.code, line_of(held.code, held.offset))})"


def _takings(thing: Any, look: Look) -> list[Held]:
    """Return where a thing was taken; what a `with` says goes before what calls seem to say."""
    found = [held for held in look.held if held.lock is thing]
    return [held for held in found if held.by_with] or found


def _rlock(thing: Any, look: Look, _ident: int) -> Facts:
    if type(thing) is RLock:
        said = _OWNER.search(repr(thing))
        owner, count = (int(said[1]), int(said[2])) if said else (0, 0)
    else:
        owner, count = stored(thing, "_owner"), stored(thing, "_count")
    if type(owner) is not int or not owner:
        return Facts("free just now")
    found = [held for held in _takings(thing, look) if held.ident == owner]
    times = "" if count == 1 else f", {count} times"
    if owner not in look.frames:
        return Facts(f"owner: a thread that has ended{times}")
    at = (found[0].code, found[0].offset) if found else None
    return Facts(f"owner: {thread_name(owner)}{times}{_site(found[0]) if found else ''}", owner, at)


def _semaphore(thing: Any, look: Look, ident: int) -> Facts:
    found = _takings(thing, look)
    if not found:
        return Facts()
    # A bounded one tells how many permits are out; without that, somebody unseen may have one.
    limit, left = stored(thing, "_initial_value"), stored(thing, "_value")
    complete = type(limit) is int and type(left) is int and limit - left == len(found)
    names = ", ".join(
        f"{'this very thread' if held.ident == ident else thread_name(held.ident)}{_site(held)}"
        for held in found
    )
    at = (found[0].code, found[0].offset)
    among = tuple(dict.fromkeys(held.ident for held in found)) if complete else ()
    sure = all(held.by_with for held in found)
    return Facts(f"held by {names}", among[0] if len(among) == 1 else None, at, among=among, sure=sure)


# --- other primitives ---------------------------------------------------------------------------


def _barrier(thing: Any, _look: Look, _ident: int) -> Facts:
    count, parties = stored(thing, "_count"), stored(thing, "_parties")
    known = type(count) is int and type(parties) is int
    return Facts(f"{count} of {parties} arrived" if known else "")


def _queue(thing: Any, _look: Look, _ident: int) -> Facts:
    if type(thing) is queue.SimpleQueue:
        return Facts(f"{thing.qsize()} items")
    items, most = stored(thing, "queue"), stored(thing, "maxsize")
    if type(items) not in (deque, list) or type(most) is not int:
        return Facts()
    size = "empty" if not items else f"{len(items)} items"
    unfinished = stored(thing, "unfinished_tasks")
    todo = f", {unfinished} unfinished" if type(unfinished) is int and unfinished else ""
    return Facts(f"{size}{f' of at most {most}' if most > 0 else ''}{todo}")


def _join(thing: Any, look: Look, _ident: int) -> Facts:
    joined = stored(thing, "_ident")
    if type(joined) is not int:
        return Facts()
    alive = joined if joined in look.frames else None
    return Facts(thread_name(joined) if alive else "a thread that has ended", alive)


def _socket(thing: Any, _look: Look, _ident: int) -> Facts:
    if not is_a(thing, sockets.RAW):
        return Facts()
    here, there = (sockets.readable(address) for address in sockets.addresses(thing))
    if sockets.listens(thing):
        return Facts(f"listens on {here}")
    return Facts(" -> ".join(filter(None, (here, there))))


def _process(thing: Any, _look: Look, _ident: int) -> Facts:
    pid = stored(thing, "pid") if is_a(thing, subprocess.Popen) else MISSING
    if pid is MISSING and (popen := stored(thing, "_popen")) is not MISSING:  # of multiprocessing
        pid = stored(popen, "pid")
    return Facts(f"pid {pid}" if type(pid) is int else "")


def _sleep(thing: Any, _look: Look, _ident: int) -> Facts:
    interval = stored(thing, "interval") if is_a(thing, threading.Timer) else MISSING
    return Facts(f"its interval of {interval} s" if type(interval) in (int, float) else "")


# --- futures ------------------------------------------------------------------------------------


def _future(thing: Any, look: Look, _ident: int) -> Facts:
    if not is_a(thing, concurrent.futures.Future):
        return Facts()
    for worker, work in look.works:
        if stored(work, "future") is thing:
            return Facts(f"{thread_name(worker)} works on it", worker)
    return _on_loop(thing, look) or _in_queue(thing) or Facts()


def _in_queue(thing: Any) -> Facts | None:
    """Tell a future whose work no thread of its pool has taken: all of them are busy."""
    for pool in {id(p): p for t in _threads() if (p := futures.pool_of(t)) not in (None, True)}.values():
        if not any(stored(work, "future") is thing for work in futures.queued_work(pool)):
            continue
        workers = [i for t in futures.workers(pool) if type(i := stored(t, "_ident")) is int]
        busy = (
            f"the {len(workers)} threads of the pool are" if len(workers) > 1 else "the thread of the pool is"
        )
        holder = workers[0] if len(workers) == 1 else None
        return Facts(f"not begun: {busy} busy", holder, among=tuple(workers))
    return None


def _threads() -> list[Any]:
    try:
        return list(getattr(threading, "_active", {}).values())
    except RuntimeError:  # one begins or ends just now
        return []


def _on_loop(thing: Any, look: Look) -> Facts | None:
    """Tell a future of `run_coroutine_threadsafe`: of a task, or of a coroutine that is not one yet."""
    callbacks = stored(thing, "_done_callbacks")
    for callback in list(callbacks) if type(callbacks) is list else []:
        cells = _cells(callback)
        loop = cells.get("source_loop")
        if loop is not None:
            return _of_loop(loop, look, _task_name(cells.get("source")))
    loop = next(_handed_over(thing), None)
    return None if loop is None else _of_loop(loop, look, "a coroutine that has not begun")


def _of_loop(loop: Any, look: Look, what: str) -> Facts:
    runner = _runner(loop, look)
    where = "a loop that does not run" if runner is None else f"the loop of {thread_name(runner)}"
    return Facts(f"{what} on {where}", runner, calls_loop=loop)


def _task_name(source: Any) -> str:
    name = asyncio.Task.get_name(source) if is_a(source, asyncio.Task) else None
    return f"task {name!r}" if type(name) is str else "a future"


def _cells(function: Any) -> dict[str, Any]:
    """Return what a function of asyncio closes over."""
    if type(function) is not FunctionType or not function.__code__.co_filename.startswith(ASYNCIO):
        return {}
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # still empty
            continue
    return found


def _handed_over(thing: Any) -> Iterator[Any]:
    """Yield the loop whose callback will begin the coroutine behind a future; only that knows both."""
    for cell in gc.get_referrers(thing):
        if type(cell) is not CellType:
            continue
        for closure in gc.get_referrers(cell):
            if type(closure) is tuple:
                owners = (_cells(x) for x in gc.get_referrers(closure))
                yield from (cells["loop"] for cells in owners if cells.get("loop") is not None)


def _runner(loop: Any, look: Look) -> int | None:
    """Return the thread that runs a loop; that of uvloop is known by the call that runs it."""
    for ident, running in look.loops:
        if running is loop:
            return ident
    for ident in look.frames:
        for step in look.stack(ident):
            if not any(name in step.code.co_names for name in RUN_LOOP):
                continue
            call = call_at(step.code, step.offset)
            value = (
                getattr(call.tree, "value", None) if call is not None and call.method in RUN_LOOP else None
            )
            if value is not None and resolve(value, step.frame) is loop:
                return ident
    return None


FACTS: dict[str, Callable[[Any, Look, int], Facts]] = {
    "lock": _lock,
    "rlock": _rlock,
    "semaphore": _semaphore,
    "barrier": _barrier,
    "queue": _queue,
    "join": _join,
    "socket": _socket,
    "process": _process,
    "sleep": _sleep,
    "future": _future,
}
