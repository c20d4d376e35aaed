"""When is a fake clock in force, and what becomes of an error of its own at the border of the test?"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.code import USER, kind_of
from pytest_taskleak.clock.ending import Ending
from pytest_taskleak.clock.endless import Endless
from pytest_taskleak.clock.timers import owned
from pytest_taskleak.loops.errors import FakeClockError
from pytest_taskleak.loops.installing import World
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.safely import attribute, is_a


class Force:
    """A virtual time that is in force again and again: in a fixture, and in the test that uses it.

    Parameters:
        settings: how it goes.
    """

    def __init__(self, settings: Settings) -> None:
        self.world = World(settings)
        self.time = self.world.time
        self.ending = Ending(threading.get_ident())
        self.time.verdict = self.ending.verdict
        self.time.often = Endless(self.ending).look
        self.background: weakref.WeakSet[Any] = weakref.WeakSet()
        self.world.external.children.background = self.background

    @property
    def active(self) -> bool:
        """Whether it is in force."""
        return self.world.users > 0

    def begin(self) -> None:
        """Put it in force; a loop that runs in this thread is driven from here on.

        Raises:
            FakeClockError: another one is in force, or the loop cannot be driven.
        """
        first = not self.active
        self.world.install()
        if first:
            self.ending.home = threading.get_ident()
        loop = asyncio_.running_loop()
        if loop is not None:
            try:
                self.world.attach_running(loop)
            except BaseException:
                self.world.uninstall()
                raise

    def end(self) -> None:
        """Take it out of force."""
        self.world.uninstall()

    def others(self, loop: Any, own: Any) -> None:
        """Let the tasks of a loop that live now be background ones, but for the test's own."""
        self.background.update(task for task in asyncio_.tasks_of(loop) if task is not own)

    def foreground(self) -> float:
        """Return when the next timer is due that does not belong to a background task."""
        if not self.background:
            return self.time.due()
        with self.time.lock:
            found = min(
                (
                    handle.when() - driver.offset
                    for driver in self.world.drivers.values()
                    if driver.running
                    for handle, task in owned(driver.loop)
                    if task is None or task not in self.background
                ),
                default=NEVER,
            )
            others = (p.due() for p in self.time.participants if getattr(p, "loop", None) is None)
            return min(found, *others, NEVER)

    def ignore(self, thing: Any) -> None:
        """Let time go on whatever a thread or a process does.

        Raises:
            FakeClockError: it is neither.
        """
        external = self.world.external
        if is_a(thing, threading.Thread):
            external.threads.ignore(thing)
        elif type(thing) is int or attribute(thing, "pid") is not None:
            external.children.ignore(thing)
        else:
            raise FakeClockError(
                "clock.ignore takes a thread, a process or its pid - "
                f"got an object of {type(thing).__qualname__}"
            )

    @contextmanager
    def around(self, root: Any = None) -> Iterator[None]:
        """Put it in force for a block, and raise its own error in place of the cancellation it has caused.

        Parameters:
            root: the task that runs the block, `None` if that is no task.
        """
        self.begin()
        __tracebackhide__ = True
        try:
            with self.border(root):
                yield
        finally:
            self.end()

    def border(self, root: Any = None) -> Border:
        """Return a block that ends with its own error, in place of the cancellation it has caused.

        Parameters:
            root: the task that runs the block, `None` if that is no task.
        """
        return Border(self.ending, root)


class Border:
    """The border of a test: see `Force.border`."""

    def __init__(self, ending: Ending, root: Any) -> None:
        self.ending = ending
        self.root = root
        self.outer: Any = None

    def __enter__(self) -> None:
        self.outer = self.ending.root
        if self.root is not None:
            self.ending.root = self.root

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        error = self.ending.take(raised)
        self.ending.root = self.outer
        if error is not None:
            raise error.with_traceback(to_the_user(trace)) from None


def to_the_user(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback that ends at the user's innermost line; whole if none of its lines is the user's."""
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    own = [place for place, each in enumerate(entries) if kind_of(each.tb_frame.f_code.co_filename) == USER]
    kept: TracebackType | None = None
    for each in reversed(entries[: own[-1] + 1] if own else entries):
        kept = TracebackType(kept, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return kept
