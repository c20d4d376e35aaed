"""What of the user's making was seen while the tests ran, and how did it end?

Nothing is kept alive: of each thing there is a weak reference until it has ended.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections import Counter
from typing import Any

from pytest_taskleak.adapt import asyncio_, cancelling
from pytest_taskleak.adapt.code import USER
from pytest_taskleak.adapt.links import locals_of
from pytest_taskleak.audit import births
from pytest_taskleak.audit.births import Frames
from pytest_taskleak.audit.sites import Kind
from pytest_taskleak.safely import attribute, is_a

MARK = "_taskleak_made"
"""The attribute in which a thread carries where it was made."""


class Peak:
    """How many things live that were made by way of one call of the user, and how many did at most."""

    def __init__(self) -> None:
        self.living = 0
        self.at_once = 0
        self.names: Counter[str] = Counter()
        self.same_name = 0

    def add(self) -> None:
        """Count one more."""
        self.living += 1
        self.at_once = max(self.at_once, self.living)

    def call(self, name: str) -> None:
        """Note the name of one that was counted."""
        self.names[name] += 1
        self.same_name = max(self.same_name, self.names[name])

    def drop(self, name: str) -> None:
        """Count one less."""
        self.living -= 1
        if name:
            self.names[name] -= 1


class Tally:
    """What was seen of one site: how often it made something, and what became of that.

    Parameters:
        kind: what it makes.
        call: what is called.
        frames: the user's frames, the nearest first.
        peaks: what is counted of each of these calls, by whatever way it was come to.
    """

    def __init__(self, kind: Kind, call: str, frames: Frames, peaks: list[Peak]) -> None:
        self.kind = kind
        self.call = call
        self.frames = frames
        self.peaks = peaks
        self.made = 0
        self.named = 0
        self.joined = 0
        self.daemons = 0
        self.overwritten = 0
        self.ended: Counter[str] = Counter()
        self.tests: set[str] = set()
        self.target: tuple[str, str] | None = None


class Life(weakref.ref[Any]):
    """A weak reference to a thing that was made, until it has ended."""

    __slots__ = ("gone", "key", "mark", "name", "tally")

    key: int
    tally: Tally
    name: str
    mark: bool
    """A task's attribute got another one; a timer's cancellation would not be seen; a thread was joined."""
    gone: bool


class Seen:
    """Counts what is made, and how it ends."""

    def __init__(self) -> None:
        self.on = False
        self.test = ""
        self.tallies: dict[tuple[Any, ...], Tally] = {}
        self.peaks: dict[tuple[Any, ...], Peak] = {}
        self.lives: dict[int, Life] = {}
        self.last: Life | None = None
        self.faults: list[str] = []
        self.lock = threading.RLock()  # the collector may call in the middle of anything

    # --- what begins --------------------------------------------------------------------------------

    def task(self, task: Any, frame: Any) -> None:
        """Note that a task was made."""
        found = births.of_task(frame)
        if found is None:
            return
        call, frames = found
        tally = self._tally("task", call, frames)
        with self.lock:
            former = self._overwritten(tally, frame)
            if former is not None:
                former.mark = True
            self._name_last()
            life = self.last = self._live(task, tally)
        if task.done():
            self._ended(life, task)
        else:
            task.add_done_callback(lambda task: self._ended(life, task))

    def timer(self, handle: Any, frame: Any) -> None:
        """Note that a timer was set."""
        found = births.of_timer(frame)
        if found is not None:
            with self.lock:
                life = self._live(handle, self._tally("timer", *found))
                life.mark = not is_a(handle, asyncio.TimerHandle)

    def thread(self, thread: Any, frame: Any) -> None:
        """Note that a thread starts."""
        frames = attribute(thread, MARK)
        if frames is None:
            frames = births.of_thread(thread, frame)
        if frames:
            tally = self._tally("thread", "threading.Thread", frames)
            name = str(thread.name)
            with self.lock:
                tally.daemons += bool(thread.daemon)
                tally.named += not name.startswith("Thread-")
                self._live(thread, tally)

    def threadsafe(self, future: Any, frame: Any) -> None:
        """Note that `run_coroutine_threadsafe` was called."""
        if frame is not None and births.kind_at(frame.f_code) == USER:
            tally = self._tally("task", "asyncio.run_coroutine_threadsafe", births.frames_from(frame))
            with self.lock:
                life = self._live(future, tally)
            future.add_done_callback(lambda future: self._ended(life, future))

    def _tally(self, kind: Kind, call: str, frames: Frames) -> Tally:
        key = (call, *frames)
        tally = self.tallies.get(key)
        if tally is None:
            with self.lock:
                peaks = [self.peaks.setdefault((kind, *frame), Peak()) for frame in frames]
                tally = self.tallies.setdefault(key, Tally(kind, call, frames, peaks))
                if kind == "task":
                    tally.target = births.target_of(*frames[0])
        return tally

    def _live(self, thing: Any, tally: Tally) -> Life:
        life = Life(thing, self._gone)
        life.key, life.tally, life.name, life.mark, life.gone = id(thing), tally, "", False, False
        self.lives[life.key] = life
        tally.made += 1
        for peak in tally.peaks:
            peak.add()
        if self.test:
            tally.tests.add(self.test)
        return life

    def _name_last(self) -> None:
        """Ask the task that was made last for its name, which 3.11 gives it only after it was made."""
        life, self.last = self.last, None
        task = life() if life is not None else None
        if life is None or task is None:
            return
        name = str(task.get_name())
        if not (name.startswith("Task-") and name[5:].isdigit()):
            life.name = name
            life.tally.named += 1
            for peak in life.tally.peaks:
                peak.call(name)

    def _overwritten(self, tally: Tally, frame: Any) -> Life | None:
        """Return the living task that the attribute holds which is about to get another one."""
        if tally.target is None or not tally.peaks[0].living:
            return None
        variable, name = tally.target
        code = tally.frames[0][0]
        while frame is not None and frame.f_code is not code:
            frame = frame.f_back
        if frame is None:
            return None
        former = attribute(locals_of(frame).get(variable), name)
        if former is None or not hasattr(former, "cancelling") or former.done() or former.cancelling():
            return None
        return self._of(former)

    # --- what ends ----------------------------------------------------------------------------------

    def _ended(self, life: Life, thing: Any) -> None:
        """Note how a task or a future has ended."""
        if thing.cancelled():
            how = "left" if births.taken_down(sys._getframe(1)) else "cancelled"
        else:
            how = "error" if cancelling.error_of(thing) is not None else "completed"
        self._end(life, how)

    def cancelled(self, handle: Any) -> None:
        """Note that a timer is cancelled."""
        life = self._of(handle)
        if life is not None and asyncio_.timer_alive(handle):
            self._end(life, "cancelled")

    def failed(self, thread: Any) -> None:
        """Note that a thread ends with an exception."""
        life = self._of(thread)
        if life is not None:
            self._end(life, "error")

    def joined(self, thread: Any) -> None:
        """Note that a thread was joined."""
        life = self._of(thread)
        if life is not None and not life.mark:
            life.mark = True
            life.tally.joined += 1

    def _of(self, thing: Any) -> Life | None:
        life = self.lives.get(id(thing))
        return life if life is not None and life() is thing else None

    def _gone(self, life: weakref.ref[Any]) -> None:
        """Note that a thing is gone of which no end was seen."""
        if not isinstance(life, Life):
            return
        how = "left"  # a task of which its loop heard no end
        if life.tally.kind == "thread":
            how = "completed"  # one that runs is kept by `threading`
        elif life.tally.kind == "timer":
            how = "unknown" if life.mark else "left" if closes(sys._getframe(1)) else "completed"
        self._end(life, how)

    def _end(self, life: Life, how: str) -> None:
        with self.lock:
            if life.gone:
                return
            self._name_last()
            life.gone = True
            self.lives.pop(life.key, None)
            tally = life.tally
            tally.ended[how] += 1
            for peak in tally.peaks:
                peak.drop(life.name)
            if life.mark and tally.kind == "task" and how != "cancelled":
                tally.overwritten += 1

    def finish(self) -> None:
        """Say of all that has not ended how it stands."""
        for life in list(self.lives.values()):
            thing = life()
            if thing is None:
                continue
            kind = life.tally.kind
            if kind == "thread":
                self._end(life, "left" if thing.is_alive() else "completed")
            elif kind == "timer":
                self._end(life, "left" if asyncio_.timer_alive(thing) else "completed")
            elif not thing.done():
                self._end(life, "left")
            elif thing.cancelled():
                self._end(life, "left")  # by whoever has closed its loop right away
            else:
                self._ended(life, thing)


def closes(frame: Any) -> bool:
    """Tell whether a loop is being closed."""
    while frame is not None:
        if frame.f_code.co_name == "close" and is_a(locals_of(frame).get("self"), asyncio_.Loop):
            return True
        frame = frame.f_back
    return False
