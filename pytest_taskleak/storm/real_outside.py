"""What has a run left behind in its process: threads, descriptors, child processes?"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from pytest_taskleak.adapt import loops, pools
from pytest_taskleak.adapt.code import SKIP, USER, kind_of
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.storm.places import named
from pytest_taskleak.storm.verdicts import Violation

FOLDER = "/dev/fd"
"""Where a POSIX system shows the descriptors of the process that looks."""
WAITERS = re.compile(r"(asyncio-)?waitpid-\d+")
"""Threads in which asyncio waits for a child: the child is told."""
OWN = "taskleak-"
"""With this the names of our own threads begin."""
KILLED = 3.0
"""Seconds that children may take to end when they are killed."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What there is at one moment.

    Parameters:
        threads: all of this process.
        descriptors: number -> what it is.
        children: processes that have come of this one.
    """

    threads: frozenset[threading.Thread]
    descriptors: dict[int, str]
    children: frozenset[psutil.Process]

    @classmethod
    def now(cls) -> Outside:
        """Look."""
        return cls(frozenset(threading.enumerate()), descriptors(), frozenset(children()))


def left(before: Outside, loop: Any) -> Iterator[Violation]:
    """Yield what is there now and was not before.

    Parameters:
        before: what there was when the run began.
        loop: the real loop: the threads of its own pool are no service's.
    """
    now = Outside.now()
    frames = current_frames()
    for thread in sorted(now.threads - before.threads - pool_threads(loop), key=lambda one: one.name):
        if (
            thread is threading.current_thread()
            or thread.name.startswith(OWN)
            or WAITERS.fullmatch(thread.name)
        ):
            continue
        where = standing(frames.get(thread.ident or 0))
        yield Violation("H", f"thread {thread.name!r} still runs at {where or '?'}", where or thread.name)
    for number, what in now.descriptors.items():
        if before.descriptors.get(number) != what != os.devnull:  # libuv keeps one of those in reserve
            yield Violation("F", f"descriptor {number} is still open: {what}", kind_of_descriptor(what))
    for child in now.children - before.children:
        with contextlib.suppress(psutil.Error):
            words = " ".join(child.cmdline()) or child.name()
            if child.status() == psutil.STATUS_ZOMBIE:
                text = f"process {child.pid} has ended, and nobody has asked how: {child.name()}"
                yield Violation("P", text, child.name(), "advisory")
            else:
                yield Violation("P", f"process {child.pid} still runs: {words}", child.name())


def kill(before: Outside) -> list[psutil.Process]:
    """Kill the children that have come since, so that the next run begins as this one did; return them."""
    born = [child for child in children() if child not in before.children]
    for child in born:
        with contextlib.suppress(psutil.Error):
            child.kill()
    return born


def reap(born: list[psutil.Process], before: Outside) -> None:
    """Wait for the end of children that were killed, and of the threads that wait for them."""
    for thread in set(threading.enumerate()) - before.threads:
        if WAITERS.fullmatch(thread.name):
            thread.join(KILLED)
    psutil.wait_procs(born, timeout=KILLED)


def pool_threads(loop: Any) -> set[threading.Thread]:
    """Return the threads of the pool that a loop has for `to_thread`."""
    return pools.threads_of(loops.default_executor(loop))


def children() -> list[psutil.Process]:
    """Return the processes that have come of this one."""
    try:
        return psutil.Process().children(recursive=True)
    except psutil.Error:
        return []


def descriptors() -> dict[int, str]:
    """Return the open descriptors, and what they are; where the system does not show them, only how many."""
    try:
        numbers = [int(name) for name in os.listdir(FOLDER)]
    except (OSError, ValueError):
        return {-1: f"{count()} in all"}
    found = {}
    for number in numbers:
        with contextlib.suppress(OSError):  # the one of the look itself is gone
            os.fstat(number)
            found[number] = what_is(number)
    return found


def count() -> int:
    """Return how many descriptors or handles this process has."""
    process: Any = psutil.Process()
    counted: int = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return counted


def what_is(number: int) -> str:
    """Return what a descriptor is, for people: a socket with its addresses, a path, a pipe."""
    try:
        text = os.readlink(f"{FOLDER}/{number}")
    except OSError:
        text = f"descriptor {number}"
    if not text.startswith("socket:"):
        return text
    try:
        twin = socket.socket(fileno=os.dup(number))
    except OSError:
        return text
    with twin:
        try:
            return f"{text} {twin.getsockname()} -> {twin.getpeername()}"
        except OSError:
            with contextlib.suppress(OSError):
                return f"{text} {twin.getsockname()}"
    return text


def kind_of_descriptor(what: str) -> str:
    """Return by what descriptors are told apart: `socket`, `listening socket`, `pipe`, or a path."""
    if what.startswith("socket:"):
        return "connected socket" if " -> " in what else "socket"
    return "pipe" if what.startswith("pipe:") else what.partition(":[")[0]


def standing(frame: Any) -> str:
    """Return where a thread stands: the innermost code of the user."""
    inner, found = frame, frame
    while found is not None and kind_of(found.f_code.co_filename) != USER:
        found = found.f_back
    while found is None and inner is not None and kind_of(inner.f_code.co_filename) >= SKIP:
        inner = inner.f_back
    best = found or inner or frame
    return named(best) if best is not None else ""
