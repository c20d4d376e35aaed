"""Does a task spin in one step of its loop, so that nothing else in the thread ever runs again?

`except CancelledError: pass` around `await shield(task)` spins so once the task is cancelled, and the
next turn of the loop does not return.  A thread looks on.  When a step of a watched task has used half a
second of the processor, the thread notes the line and raises an exception in the spinning one
(`PyThreadState_SetAsyncExc`), again and again until the step ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dis
import linecache
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from types import FrameType, TracebackType
from typing import Any, Self

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.awaiting import frame_at
from pytest_taskleak.adapt.code import LOOP, PACKAGE, USER, kind_of
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.model import Frame

PATIENCE = 0.5
"""Seconds of the processor that one step of a cancelled task may take.  What blocks uses none."""
PERIOD = 0.05
"""Seconds between two looks."""
AGAIN = 0.005
"""Seconds between two attempts to end a step: the interval in which CPython switches threads."""
MOST_ATTEMPTS = 400
"""A task that catches everything is left only where its loop jumps back: one check in some twenty."""


class Spinning(BaseException):
    """Raised by pytest-taskleak in a task that spins and lets nothing else run."""


class Guard:
    """Ends the steps of some tasks that do not end by themselves, while this thread turns their loops.

    It looks on while it is entered; `looks_on` is `False` where it cannot.  There is no step to end once
    it is left: the thread that looks on is joined, and an exception that it may have raised too late
    arrives and ends here.

    Parameters:
        tasks: the tasks to watch.  Nobody else's step is ever ended.
    """

    def __init__(self, tasks: Iterable[Any]) -> None:
        self.tasks = {id(task): task for task in tasks if not task.done()}
        loops = {id(loop): loop for loop in map(asyncio_.loop_of, self.tasks.values())}
        self.loops = [x for x in loops.values() if not x.is_closed() and not asyncio_.runs_elsewhere(x)]
        self.spun: dict[int, Frame] = {}
        """Where each task was found spinning, by its identity."""
        self.stopped: list[Any] = []
        """The tasks that ended because of the exception."""
        self.turns = 0
        self.over = False
        self.raised = False
        self.bell = threading.Lock()
        self.beats: list[asyncio.Handle] = []
        self.ident = threading.get_ident()
        self.thread: threading.Thread | None = None

    @property
    def looks_on(self) -> bool:
        """Tell whether somebody looks on."""
        return self.thread is not None

    def __enter__(self) -> Self:
        if self.loops and raises():
            self.beats = [loop.call_soon(self.beat, n) for n, loop in enumerate(self.loops)]
            self.bell.acquire()
            thread = threading.Thread(target=self.watch, name="taskleak-spin", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread can be started
                # Started in the way that nobody watches.
                getattr(threading.Thread.start, "__wrapped__", threading.Thread.start)(thread)
                self.thread = thread
        return self

    def beat(self, number: int) -> None:
        """Count a turn of a loop, and come again in the next one."""
        self.turns += 1
        if not self.over:
            self.beats[number] = self.loops[number].call_soon(self.beat, number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Stop looking on; an exception of ours that came too late ends here."""
        while True:
            try:
                self.over = True
                if self.thread is not None:
                    if self.bell.locked():
                        self.bell.release()
                    self.thread.join()
                if self.raised:
                    arrive()
            except Spinning:  # it came too late; once the thread is joined, no other one can come
                continue
            break
        for handle in self.beats:
            handle.cancel()
        self.stopped = [self.tasks[key] for key in self.spun if was_stopped(self.tasks[key])]
        self.tasks.clear()
        self.loops.clear()
        return kind is not None and issubclass(kind, Spinning)

    def watch(self) -> None:
        """Look on until it is over."""
        clock = clock_of(self.ident)
        since, step, attempts = clock(), None, 0
        while not self.bell.acquire(timeout=AGAIN if attempts else PERIOD):
            now = None
            with contextlib.suppress(Exception):  # asyncio's tables may change while they are read
                now = self.step()
            if now is None or now != step:
                since, step, attempts = clock(), now, 0
            elif clock() - since >= PATIENCE and attempts < MOST_ATTEMPTS:
                attempts += 1
                self.end(now[1])

    def step(self) -> tuple[int, int] | None:
        """Return (turn, task) of the step that a watched task is in."""
        turns = self.turns
        for loop in self.loops:
            task = asyncio.current_task(loop)
            if task is not None and id(task) in self.tasks:
                return turns, id(task)
        return None

    def end(self, task: int) -> None:
        """Note where a task spins, and raise in it.

        The step may end before the exception arrives: then it comes up in the loop, which logs it as it
        would log any other, or in `__exit__`.  After half a second in one step that is unlikely.
        """
        if task not in self.spun:
            self.spun[task] = place(current_frames().get(self.ident))
        if not self.over:
            self.raised = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(Spinning))


def arrive() -> None:
    """Let an exception that another thread has raised here arrive: it does where code jumps back.

    `PyThreadState_SetAsyncExc(ident, NULL)` would take it back, but leaves CPython 3.11 looking for it:
    the next function that is traced then never begins.
    """
    for _ in range(3):
        pass


def raises() -> bool:
    """Tell whether an exception can be raised in another thread here."""
    return hasattr(getattr(ctypes, "pythonapi", None), "PyThreadState_SetAsyncExc")


CLOCKS = (getattr(time, "pthread_getcpuclockid", None), getattr(time, "clock_gettime", None))
"""What reads a thread's own clock; where mocks of time do not reach it."""


def clock_of(ident: int, _of_process: Callable[[], float] = time.process_time) -> Callable[[], float]:
    """Return a clock that counts the processor time of a thread, in seconds; else that of the process."""
    find, read = CLOCKS
    if find is None or read is None:
        return _of_process
    number = find(ident)
    return lambda: float(read(number))


def place(frame: FrameType | None) -> Frame:
    """Return the loop of the user in which a thread spins: its first line, which every look finds alike.

    Parameters:
        frame: the innermost frame; what is looked at ends where an event loop called.
    """
    own: list[FrameType] = []
    while frame is not None:
        path = frame.f_code.co_filename
        kind = kind_of(path)
        if kind == LOOP or path.startswith(PACKAGE):
            break
        if kind == USER or not own:
            own.append(frame)
        frame = frame.f_back
    for each in reversed(own):
        line = loop_line(each)
        if line is not None and kind_of(each.f_code.co_filename) == USER:
            return frame_at(each.f_code, line)
    users = [each for each in own if kind_of(each.f_code.co_filename) == USER]
    for each in (*users, *own):
        return frame_at(each.f_code, each.f_lineno)
    return Frame(path="", line=0, qualname="", role="machinery")


def loop_line(frame: FrameType) -> int | None:
    """Return the first line of the outermost `while` or `for` in which a frame stands.

    Handlers stand at the end of the code, behind the jump back of the loop that they belong to.
    """
    steps = list(dis.get_instructions(frame.f_code))
    loops = [
        (step.argval, step.offset)
        for last, step in pairwise(steps)
        if "JUMP_BACKWARD" in step.opname
        and not step.opname.endswith("NO_INTERRUPT")
        and last.opname != "CLEANUP_THROW"  # both are parts of an `await`
    ]
    around = [head for head, end in loops if head <= frame.f_lasti <= end]
    before = [head for head, _ in loops if head <= frame.f_lasti]
    head = min(around or before, default=None)
    if head is None:
        return None
    lines = (step.positions.lineno for step in steps if step.offset >= head and step.positions)
    line = next((line for line in lines if line), None)
    if line is None:
        return None
    # `while True:` itself has no instruction before 3.14.
    above = linecache.getline(frame.f_code.co_filename, line - 1).lstrip().startswith("while True:")
    return line - 1 if above else line


def was_stopped(task: Any) -> bool:
    """Tell whether a task was ended here; its exception then counts as asked for."""
    if not task.done() or type(getattr(task, "_exception", None)) is not Spinning:
        return False
    task.exception()
    return True


_found: dict[int, tuple[Any, Frame]] = {}
"""The tasks that were stopped before anybody has asked them to end.

They are done, so that nobody else may keep them until they are told; hence they are kept here.
"""
MOST_FOUND = 20


@contextlib.contextmanager
def noting(tasks: Iterable[Any]) -> Iterator[None]:
    """Guard tasks that nobody has asked to end yet; those that had to be stopped are to be told."""
    guard = Guard(tasks)
    try:
        with guard:
            yield
    finally:
        for task in guard.stopped:
            _found[id(task)] = task, guard.spun[id(task)]
        guard.stopped.clear()
        while len(_found) > MOST_FOUND:  # a rule allows them, so that nobody removes them
            del _found[next(iter(_found))]


def found_spinning(task: Any) -> Frame | None:
    """Return where a task was found spinning before anybody asked it to end, if it was."""
    found = _found.get(id(task)) if _found else None
    return None if found is None else found[1]


def forget(task: Any) -> None:
    """Forget that a task was found spinning: it was told."""
    _found.pop(id(task), None)
