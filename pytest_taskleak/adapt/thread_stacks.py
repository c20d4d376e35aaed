"""What stands on the stacks of all threads at one moment, and which locks do they hold there?

A `Look` lives as long as one question: it keeps frames and the user's objects.  Threads go on while it is
taken, so it is evidence of what was, and no proof.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

from pytest_taskleak.adapt import futures
from pytest_taskleak.adapt.acquired import acquired, rebound
from pytest_taskleak.adapt.code import HARNESS, LIBRARY, LOOP, PACKAGE, SITE, SKIP, STDLIB, USER, kind_of
from pytest_taskleak.adapt.expressions import (
    CODES,
    MISSING,
    Taking,
    local,
    resolve,
    spelled,
    stored,
    tree_at,
)
from pytest_taskleak.adapt.with_blocks import exception_table, with_blocks
from pytest_taskleak.safely import attribute, is_a

Lock: Any = type(threading.Lock())
RLock: Any = type(threading.RLock())
PyRLock: Any = getattr(threading, "_RLock", RLock)
HOLDABLE = (Lock, RLock, PyRLock, threading.Semaphore, threading.Condition)
CONDITION = "threading.Condition.wait"
RUN_FOREVER = "asyncio.base_events.BaseEventLoop.run_forever"
RUNS = frozenset({
    "threading.Thread._bootstrap",
    "threading.Thread._bootstrap_inner",
    "threading.Thread.run",
    "concurrent.futures.thread._WorkItem.run",
    "concurrent.futures.thread.WorkerContext.run",
    "multiprocessing.pool.mapstar",
    "multiprocessing.pool.starmapstar",
    "asyncio.events.Handle._run",
})  # fmt: skip
"""What calls the code of others, and is no wait itself."""
MOST_STEPS = 2000


class Step(NamedTuple):
    """One frame of a stack; the frame moves on, code and offset are of the moment of the look."""

    frame: FrameType
    code: CodeType
    offset: int
    kind: int
    name: str


class Held(NamedTuple):
    """A lock that a thread has taken, on which instruction, and how that is written."""

    ident: int
    lock: Any
    code: CodeType
    offset: int
    text: str
    by_with: bool


class Look:
    """The stacks of all threads at one moment.

    Parameters:
        frames: ident -> innermost frame, as of `sys._current_frames()`.
    """

    def __init__(self, frames: Mapping[int, FrameType]) -> None:
        self.frames = frames
        self._stacks: dict[int, list[Step]] = {}

    def stack(self, ident: int) -> list[Step]:
        """Return the steps of a thread without our own, the outermost first."""
        if ident not in self._stacks:
            self._stacks[ident] = list(_steps(self.frames.get(ident)))[::-1]
        return self._stacks[ident]

    @cached_property
    def held(self) -> list[Held]:
        """Every lock, semaphore or condition that a thread has visibly taken and not given back."""
        return [held for ident in self.frames for held in self._held_by(ident)]

    @cached_property
    def works(self) -> list[tuple[int, Any]]:
        """(thread, work item) of what the threads of executors work on."""
        return list(futures.running_work())

    @cached_property
    def loops(self) -> list[tuple[int, Any]]:
        """(thread, loop) of the stock loops that run."""
        return [
            (ident, local(step.frame, "self"))
            for ident in self.frames
            for step in self.stack(ident)
            if step.name == RUN_FOREVER
        ]

    def _held_by(self, ident: int) -> Iterator[Held]:
        stack = self.stack(ident)
        waiting = [local(step.frame, "self") for step in stack if step.name == CONDITION]
        released = [*waiting, *(stored(condition, "_lock") for condition in waiting)]
        for step in stack:
            if step.kind == HARNESS:
                continue
            blocks = _entered(step.code, step.offset)
            calls = acquired(step.code, step.offset) if step.kind in (USER, LIBRARY) else ()
            for taking in (*blocks, *calls):
                for lock in _locks(resolve(taking.tree, step.frame)):
                    if not any(lock is x for x in released):
                        text = spelled(taking.tree)
                        yield Held(ident, lock, step.code, taking.offset, text, taking in blocks)


@lru_cache(maxsize=CODES)
def _entered(code: CodeType, offset: int) -> tuple[Taking, ...]:
    """Return what the `with` blocks around an instruction have entered, as far as its names still stand."""
    found = []
    for block in with_blocks(code, offset):
        tree = tree_at(code, block.offset)
        begins = [entry.start for entry in exception_table(code) if entry.target == block.offset]
        since = min(begins, default=block.offset)  # from 3.14 the offset is that of the handler
        if tree is not None and not rebound(code, tree, since - 1, offset):
            found.append(Taking(tree, block.offset))
    return tuple(found)


def _locks(thing: Any) -> Iterator[Any]:
    """Yield what is held by whoever has taken a thing: a condition stands for its lock."""
    if thing is MISSING or not is_a(thing, HOLDABLE):
        return
    yield thing
    if is_a(thing, threading.Condition):
        yield stored(thing, "_lock")


def _steps(frame: FrameType | None) -> Iterator[Step]:
    for _ in range(MOST_STEPS):
        if frame is None:
            return
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE + os.sep):
            yield Step(frame, code, frame.f_lasti, *label(code))
        frame = frame.f_back


def tail(stack: list[Step]) -> int:
    """Return where the standard library begins that a thread stands in, the stack's length if in none.

    What runs other code (`Thread.run`, a loop's callback) is passed over.
    """
    start = len(stack)
    while start and stack[start - 1].kind in (SKIP, LOOP) and stack[start - 1].name not in RUNS:
        start -= 1
    return start


@lru_cache(maxsize=CODES)
def label(code: CodeType) -> tuple[int, str]:
    """Return the kind of a code object's file, and its full name, as `threading.Event.wait`."""
    return kind_of(code.co_filename), f"{_module(code.co_filename)}.{code.co_qualname}"


@lru_cache(maxsize=CODES)
def _module(path: str) -> str:
    """Return the dotted name of a file of the standard library or of a library."""
    if path.startswith("<"):
        return path.strip("<>").removeprefix("frozen ")
    parts = path.removesuffix(".py").removesuffix(os.sep + "__init__").split(os.sep)
    site = next((i for i, part in enumerate(parts) if part in SITE), None)
    if site is not None:
        return ".".join(parts[site + 1 :])
    root = next((x for x in STDLIB if path.startswith(x + os.sep)), None)
    return parts[-1] if root is None else ".".join(parts[root.count(os.sep) + 1 :])


def thread_name(ident: int | None) -> str:
    """Return a thread as people call it: by its name, or as one that `_thread` has started."""
    thread = getattr(threading, "_active", {}).get(ident)
    name = None if thread is None else attribute(thread, "_name")
    return f"thread {name!r}" if type(name) is str else "a thread of _thread"
