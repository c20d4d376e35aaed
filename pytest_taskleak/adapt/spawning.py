"""How is the start of a process seen, and on whose lines is it?"""

from __future__ import annotations

import asyncio
import asyncio.base_subprocess
import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

from pytest_taskleak.adapt import pools, processes
from pytest_taskleak.adapt.code import SKIP, USER, kind_of

Seen = Callable[..., None]
Wrap = Callable[[Any], Any]
MULTIPROCESSING = ("multiprocessing.process",)
FORKS = ("fork", "forkpty")
SPAWNS = ("posix_spawn", "posix_spawnp")
MOST_FRAMES = 30


class Starting(threading.local):
    """The wrappers of what starts processes; each calls `seen` when one was started.

    A library's own start (`subprocess`, `multiprocessing`) is told as a whole, not by the fork in it.
    A fork of the watched process passes straight through.
    """

    home = 0
    """The process that is watched."""
    inside = False
    """Whether this thread is in a library's own start."""

    def watch(self) -> None:
        """Watch what this process starts."""
        Starting.home = os.getpid()

    def busy(self) -> bool:
        """Tell whether what is started now is told already, or nobody's business."""
        return self.inside or os.getpid() != Starting.home

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Stand for a library's start."""
        self.inside = True
        try:
            yield
        finally:
            self.inside = False

    def popen(self, seen: Seen) -> Wrap:
        """Return the wrapper of `Popen.__init__`; seen(process, frame)."""

        def wrap(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(process: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                if self.busy():
                    original(process, *args, **options)
                    return
                with self.whole():
                    original(process, *args, **options)
                harmless(seen, process, sys._getframe(1))

            return __init__

        return wrap

    def multiprocessing(self, seen: Seen) -> Wrap:
        """Return the wrapper of `BaseProcess.start`; seen(process, its pool, its target, frame)."""

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def start(process: Any, /, *args: Any, **options: Any) -> Any:
                if self.busy():
                    return original(process, *args, **options)
                pool, target = pools.pool_of_process(process), processes.target_of(process)
                with self.whole():
                    result = original(process, *args, **options)
                harmless(seen, process, pool, target, sys._getframe(1))
                return result

            return start

        return wrap

    def spawn(self, seen: Seen) -> Wrap:
        """Return the wrapper of `os.posix_spawn`; seen(command, pid, frame)."""

        def wrap(original: Callable[..., int]) -> Callable[..., int]:
            def posix_spawn(*args: Any, **options: Any) -> int:
                pid = original(*args, **options)
                if not self.busy():
                    harmless(
                        seen, options.get("argv", args[1] if len(args) > 1 else ()), pid, sys._getframe(1)
                    )
                return pid

            return posix_spawn

        return wrap

    def fork(self, seen: Seen) -> Wrap:
        """Return the wrapper of `os.fork` and `os.forkpty`; seen(pid, frame)."""

        def forked(result: Any) -> Any:
            pid = result[0] if type(result) is tuple else result
            if pid and not self.busy():
                harmless(seen, pid, sys._getframe(1))
            return result

        return lambda original: called_from_c(original, forked)

    def uvloop(self, seen: Seen) -> Wrap:
        """Return the wrapper of uvloop's `subprocess_exec`; seen(transport, command, frame)."""

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            async def subprocess_exec(loop: Any, /, *args: Any, **options: Any) -> Any:
                made = await original(loop, *args, **options)
                if not self.busy():
                    harmless(seen, made[0], args[1:], sys._getframe(1))
                return made

            return subprocess_exec

        return wrap


def collecting(seen: Seen) -> Wrap:
    """Return the wrapper of a transport's `close`; seen(transport) when the collector closes it."""

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def close(transport: Any) -> None:
            if sys._getframe(1).f_code.co_name == "__del__":
                harmless(seen, transport)
            original(transport)

        return close

    return wrap


def harmless(seen: Seen, *facts: Any) -> None:
    """Keep a fault of ours from becoming the user's."""
    with contextlib.suppress(Exception):
        seen(*facts)


def multiprocessing() -> Iterable[type]:
    """Return the class whose start is watched, once somebody has imported it."""
    module = sys.modules.get(MULTIPROCESSING[0])
    return () if module is None else (module.BaseProcess,)


def system(name: str) -> Callable[[], Iterable[Any]]:
    """Return what yields the module `os` where it has such a function."""
    return lambda: [os] if hasattr(os, name) else []


def transports() -> Iterable[type]:
    """Return the class of asyncio's transports of processes."""
    kind = getattr(asyncio.base_subprocess, "BaseSubprocessTransport", None)
    return () if kind is None else (kind,)


def called_from_c(original: Callable[[], Any], after: Callable[[Any], Any]) -> Any:
    """Return a callable that passes the result of `original` through `after`.

    Python's warning about forks in a process with threads names the running frame.  That must stay
    the caller's, so no frame of ours may be on the stack: the pieces are all made of C.
    """
    return functools.partial(next, map(after, iter(original, object())))


def forking(frame: FrameType | None) -> tuple[str, str]:
    """Return (module, qualified name) of the code that forks, past the standard library."""
    first = frame
    while frame is not None and kind_of(frame.f_code.co_filename) >= SKIP:
        frame = frame.f_back
    frame = frame or first
    return ("", "") if frame is None else (str(frame.f_globals.get("__name__", "")), frame.f_code.co_qualname)


def stack(frame: FrameType | None) -> list[FrameType]:
    """Return the nearest frames from one on."""
    found: list[FrameType] = []
    while frame is not None and len(found) < MOST_FRAMES:
        found.append(frame)
        frame = frame.f_back
    return found


def waiting_in_trio() -> list[FrameType]:
    """Return the frames of the trio task for which this worker thread works, the nearest first."""
    data = getattr(sys.modules.get("trio._threads"), "PARENT_TASK_DATA", None)
    task: Any = next(iter(getattr(data, "task_register", None) or ()), None)
    coro = getattr(task, "coro", None)
    found: list[FrameType] = []
    while coro is not None and len(found) < MOST_FRAMES:
        frame = getattr(coro, "cr_frame", None)
        if frame is not None:
            found.append(frame)
        coro = getattr(coro, "cr_await", None)
    return found[::-1]


def maker(frame: FrameType) -> FrameType | None:
    """Return the frame on whose behalf a program is started, `None` for a worker of anyio's.

    trio starts programs in a thread: there it is the nearest one of the waiting task.
    """
    run = getattr(sys.modules.get("anyio.to_process"), "run_sync", None)
    worker = getattr(run, "__code__", None)
    here, waiting = stack(frame), waiting_in_trio()
    if any(x.f_code is worker for x in (*here, *waiting)):
        return None
    if any(kind_of(x.f_code.co_filename) == USER for x in here):
        return frame
    return next((x for x in waiting if kind_of(x.f_code.co_filename) == USER), frame)
