"""In which state is a thing that is waited for, in plain facts?

Sizes, values, addresses, process ids, functions.  A class of the user is never asked: attributes are
read from the instance, sizes from the builtin container, addresses from the socket or from a transport
of asyncio's or uvloop's own.
"""

from __future__ import annotations

import concurrent.futures.thread
import functools
import gc
import math
import threading
from collections import OrderedDict, deque
from contextvars import Context
from types import BuiltinFunctionType
from typing import Any

from pytest_taskleak.adapt import commands, futures, network, processes, sockets
from pytest_taskleak.safely import attribute, is_a

TOLERANCE, RELATIVE = 0.01, 1e-4
"""How far a timer may be ahead of its round number, in seconds and as a part: uvloop's clock is coarse."""
FOR_EVER = 3e8
"""Seconds from which a time is none: ten years.  uvloop makes a hundred years of an endless sleep."""
TENTH = 0.1
WHOLE = 1.0
_SIZED: tuple[type, ...] = (deque, list, OrderedDict, dict, set, frozenset, tuple)


def seconds(left: float) -> str:
    """Return a time as people say it, rounded up so that it stays the same for a while: "30 s".

    Parameters:
        left: seconds; two significant digits are kept, and no more than tenths below one second.
    """
    left = max(0.0, left - TOLERANCE - left * RELATIVE)
    step = TENTH if left < WHOLE else WHOLE
    while left >= 100 * step:
        step *= 10
    rounded = math.ceil(left / step) * step
    return f"{rounded:.1f} s" if 0 < rounded < WHOLE else f"{rounded:.0f} s"


def left_of(timer: Any, loop: Any) -> float | None:
    """Return the seconds until a timer is due, `None` if it is not armed or its loop is closed."""
    if timer is None or loop.is_closed() or timer.cancelled():
        return None
    return max(0.0, float(timer.when()) - float(loop.time()))


def remaining(left: float | None) -> str:
    """Say how much of a time is left."""
    if left is None:
        return ""
    return "for ever" if left > FOR_EVER else f"{seconds(left)} left"


def spoken(delay: Any) -> str:
    """Return a delay as it was written, as far as it is a plain number."""
    if delay is None:
        return ""
    if type(delay) in (int, float):
        return repr(delay)
    return float.__repr__(delay) if is_a(delay, float) else "..."


def size_of(container: Any) -> int | None:
    """Return the length of a builtin container, `None` for anything else."""
    for kind in _SIZED:
        if is_a(container, kind):
            return int(kind.__len__(container))  # type: ignore[attr-defined]
    return None


def joined(*facts: str) -> str:
    """Return those facts that there are, one after the other."""
    return ", ".join(fact for fact in facts if fact)


def others(waiters: Any) -> str:
    """Say how many wait, where it is more than one."""
    count = size_of(waiters) or 0
    return f"{count} waiting" if count > 1 else ""


def number(value: Any) -> str:
    """Return a plain number as a string, an empty one for anything else."""
    if is_a(value, bool | int):
        return int.__repr__(value)
    if is_a(value, float):
        return int.__repr__(int(value)) if float.is_integer(value) else float.__repr__(value)
    return ""


def queue(thing: Any) -> str:
    """Say how full a queue is."""
    held, most = size_of(attribute(thing, "_queue")), attribute(thing, "_maxsize")
    bounded = is_a(most, int) and most > 0
    down = "shut down" if attribute(thing, "_is_shutdown") is True else ""
    if held is None:
        return down
    word = "empty" if not held else "full" if bounded and held >= most else ""
    return joined(word, f"size {held} of {most}" if bounded else f"size {held}", down)


def transport(thing: Any) -> str:
    """Return "local -> remote" of a transport, an empty string if it has no addresses."""
    if thing is None or type(thing).__module__.partition(".")[0] not in ("asyncio", "uvloop"):
        return ""
    ours, theirs = (sockets.readable(address) for address in network.addresses(thing))
    return ends(ours, theirs)


def ends(ours: str, theirs: str) -> str:
    """Return "local -> remote", as far as these are known."""
    return f"{ours} -> {theirs}" if theirs else ours


def socket(thing: Any) -> str:
    """Return "local -> remote" of a socket, and how it is called while it has no address."""
    if not is_a(thing, sockets.Socket):
        return ""
    ours, theirs = (sockets.readable(address) for address in sockets.addresses(thing))
    return ends(ours, theirs) or f"{sockets.type_of(thing)} socket, fd {sockets.fileno(thing)}"


def server(thing: Any) -> str:
    """Say where a server listens."""
    if type(thing).__module__.partition(".")[0] not in ("asyncio", "uvloop"):
        return ""
    found = [sockets.readable(own.getsockname()) for own in network.sockets_of(thing)]
    return ", ".join(found) if found else "closed"


def process(thing: Any) -> str:
    """Say which process it is: "pid 123 (sleep 60)".

    Parameters:
        thing: an `asyncio.subprocess.Process`, or a transport to a process.
    """
    carrier = attribute(thing, "_transport") or thing
    pid = attribute(thing, "pid") or attribute(carrier, "_pid")
    if not is_a(pid, int):
        return ""
    known = attribute(carrier, "_proc")
    words = attribute(known, "args") if known is not None else None
    if words is None and network.of_uvloop(carrier, "UVProcessTransport"):
        words = next((x for x in gc.get_referents(carrier) if type(x) is list and x), None)
    child = processes.CHILDREN.get(pid)
    command = commands.named(commands.words(words))[0] if words else child.command if child else ""
    return f"pid {pid} ({command})" if command else f"pid {pid}"


def function(thing: Any) -> str:
    """Return the name of what a worker calls, behind partials and `Context.run`."""
    while is_a(thing, functools.partial):
        inner = thing.func
        if is_a(inner, BuiltinFunctionType) and is_a(inner.__self__, Context) and thing.args:
            inner = thing.args[0]
        thing = inner
    return futures.describe(thing)[1] if thing is not None else ""


def work(future: Any) -> str:
    """Say what is done for a future of an executor: "function slow() in thread 'asyncio_0'"."""
    ident, called = futures.work_of(future)
    if ident is None and called is None:
        item = queued(future)
        return "" if item is None else joined(called_as(futures.function_of(item)), "not started")
    return in_thread(called_as(called), getattr(threading, "_active", {}).get(ident))


def queued(future: Any) -> Any:
    """Return the work item of a future that no worker thread has taken yet."""
    for thread in list(getattr(concurrent.futures.thread, "_threads_queues", ())):
        for item in futures.queued_work(futures.pool_of(thread)):
            if getattr(item, "future", None) is future:
                return item
    return None


def called_as(thing: Any) -> str:
    """Say which function is called."""
    name = function(thing)
    return f"function {name}()" if name else ""


def in_thread(what: str, thread: Any) -> str:
    """Say what runs in which thread."""
    name = "" if thread is None else attribute(thread, "_name")
    return f"{what} in thread {name!r}".strip() if name else what
