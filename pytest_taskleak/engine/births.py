"""How is a birth written down in less than a microsecond?

A record is one flat tuple `(scope, frames, ancestor, mine)`; `frames` holds code objects and
instruction offsets by turns, so that lines are worked out only for what is reported; `mine` says
whether a frame of the user is among them; `ancestor` keeps those of the nearest parent.  The walk
stops at the loop's own frames, hence it does not depend on the depth of the stack.  The scope's list
keeps weak references only.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.code import FILES, HARNESS, LIBRARY, SKIP, USER, kind_of
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.owner import OWNER, Scope
from pytest_taskleak.model import BIRTH

Frames = tuple[Any, ...]
Record = tuple[Scope, Frames, Frames, bool]

MOST_USER = 3
MOST_LIBRARY = 3
MOST_STEPS = 40
SMALLEST = 64

_lock = threading.Lock()


class Entry(weakref.ref[Any]):
    """A weak reference to a resource, with its birth record and its number."""

    __slots__ = ("birth",)

    birth: Record


class Births(list[Entry]):
    """The entries of one kind in one scope; forgets the dead as it grows."""

    __slots__ = ("limit",)

    def __init__(self) -> None:
        self.limit = SMALLEST

    def shrink(self) -> None:
        """Drop the entries whose resource is gone, and set the next limit at twice the rest."""
        if not _lock.acquire(blocking=False):
            return
        try:
            count = len(self)
            self[:count] = [entry for entry in self[:count] if entry() is not None]
            self.limit = max(SMALLEST, 2 * len(self))
        finally:
            _lock.release()


def walk(frame: FrameType | None) -> tuple[Frames, bool, bool]:
    """Return the nearest frames, whether any is the user's, and whether the harness called them."""
    files = FILES
    kind = HARNESS
    while frame is not None:
        name = frame.f_code.co_filename
        try:
            kind = files[name]
        except KeyError:
            kind = kind_of(name)
        if kind < SKIP:
            break
        frame = frame.f_back
    found: list[Any] = []
    users = libraries = 0
    steps = MOST_STEPS
    while frame is not None and steps:
        code = frame.f_code
        try:
            kind = files[code.co_filename]
        except KeyError:
            kind = kind_of(code.co_filename)
        if kind == USER:
            found.append(code)
            found.append(frame.f_lasti)
            users += 1
            if users == MOST_USER:
                break
        elif kind == LIBRARY:
            if libraries < MOST_LIBRARY:
                found.append(code)
                found.append(frame.f_lasti)
                libraries += 1
        elif kind != SKIP:
            break
        frame = frame.f_back
        steps -= 1
    return tuple(found), users > 0, not users and kind == HARNESS


def by_callback(frame: FrameType | None) -> bool:
    """Tell whether a running loop has called the code, so that no frame below it is the maker's."""
    while frame is not None:
        if kind_of(frame.f_code.co_filename) < SKIP:
            return False
        if frame.f_code in asyncio_.STEPS:
            return True
        frame = frame.f_back
    return True


def recorder(kind: str, *, mark: bool, tied: bool = False) -> Callable[..., None]:
    """Return the function that writes down births of one kind.

    Parameters:
        kind: the detector's kind.
        mark: also put the record on the object itself, where its children find it.
        tied: things of this kind do not outlive their loop.
    """
    get = OWNER.get
    running = asyncio_.running_loop
    parent_of = asyncio_.running_task

    def record(thing: Any, frame: FrameType | None, parent: Any = None) -> None:
        scope = get()
        if scope is None or not scope.watch.awake:
            scope = owner.current()
            if scope is None:
                return
        frames, mine, harness = walk(frame)
        if harness and running() is not None and by_callback(frame):
            harness = False  # made by a callback: its context says whose it is
        if harness and scope.kind == "test" and scope.parent is not None:
            scope = scope.parent  # made by a plugin's own hook, not by the test
        ancestor: Frames = ()
        if harness:
            if scope.kind == "session":  # never judged: a stamp says whose it is, no entry is needed
                if mark:
                    try:  # noqa: SIM105 -- in a hot path
                        setattr(thing, BIRTH, (scope, frames, ancestor, mine))
                    except Exception:  # noqa: BLE001 -- slotted objects of a custom factory
                        pass
                return
        elif not mine:
            inherited = getattr(parent or parent_of(), BIRTH, None) or owner.thread_birth()
            if inherited is not None:
                ancestor = inherited[1] if inherited[3] else inherited[2] or inherited[1]
        entry = Entry(thing)
        entry.birth = birth = (scope, frames, ancestor, mine)
        if mark:
            try:  # noqa: SIM105 -- see above
                setattr(thing, BIRTH, birth)
            except Exception:  # noqa: BLE001 -- see above: the entry knows
                pass
        if tied:
            scope.tied = scope.watch.tying = True
        births = scope.births.get(kind)
        if births is None:
            births = scope.births.setdefault(kind, Births())
            if scope.closed:
                scope.watch.revenants.append(scope)
        births.append(entry)
        if len(births) > births.limit:
            births.shrink()

    return record
