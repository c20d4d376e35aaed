"""Which loops live in virtual time, from when to when?

While a clock is in force every loop that begins to run in any thread is driven; a loop that runs already is
driven if it is named.  Afterwards every loop is what it was, but for its time, which never goes back.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import Any

from pytest_taskleak.adapt import asyncio_, turning
from pytest_taskleak.loops.driver import Driver
from pytest_taskleak.loops.errors import FakeClockError, UnsupportedLoop
from pytest_taskleak.loops.external import External
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.safely import is_a
from pytest_taskleak.timing import now as real_now


class World:
    """A virtual time with everything that lives in it, from its installation to its end.

    Parameters:
        settings: how its time goes.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.external = External()
        self.time = VirtualTime(settings, self.external)
        self.drivers: dict[int, Driver] = {}
        self.turning: dict[int, list[Driver]] = {}  # ident -> the loops that this thread runs
        self.running = Running(self.begins, self.ends)
        self.traces: list[Any] = []
        self.users = 0
        self.wall: Any = None  # the date, if it goes with this time
        self.names: Any = None  # those that are bound anew in the user's packages
        self.threads: Any = None  # the threads that live in this time too
        self.trio: Any = None  # the runs of trio that live in it, if trio is imported

    # --- in force -------------------------------------------------------------------------------

    def install(self) -> None:
        """Begin to drive the loops that begin to run, for one more user.

        Raises:
            FakeClockError: another virtual time is in force.
        """
        global current
        if current not in (None, self):
            raise FakeClockError(
                "another fake clock is in force, and a process has one virtual time: "
                "use that one, or end it first"
            )
        self.users += 1
        if self.users > 1:
            return
        current = self
        time = self.time
        time.over = False
        start = self.settings.start
        if start is None:
            time.rebase(max(time.now, math.ceil(real_now())))
        elif not time.now:
            time.rebase(start)
        self.external.install(time)
        self.running.install()
        try:
            self._install_threads()
            self._install_wall()
            self._install_trio()
        except BaseException:
            self.uninstall()
            raise

    def _install_trio(self) -> None:
        if "trio" not in sys.modules:
            return
        from pytest_taskleak.loops.trio_runs import TrioRuns

        self.trio = TrioRuns(self.time)
        self.trio.install()

    def _install_threads(self) -> None:
        if not self.settings.threads:
            return
        from pytest_taskleak.loops.thread_time import ThreadTime

        self.threads = ThreadTime(self.time)
        self.threads.install()

    def _install_wall(self) -> None:
        if self.settings.wall is None and not self.settings.modules:
            return
        from pytest_taskleak.loops.names import Names
        from pytest_taskleak.loops.wall import Wall

        wall = Wall(self.settings)
        wall.install(self.time)
        self.wall = wall
        self.names = Names(self.settings.modules, wall)
        self.names.install(self.time)

    def uninstall(self) -> None:
        """End, when the last user leaves."""
        global current
        self.users -= 1
        if self.users:
            return
        if self.wall is not None:
            self.names.uninstall()
            self.wall.uninstall()
            self.wall = self.names = None
        self.running.uninstall()
        self.time.over = True
        if self.threads is not None:
            self.threads.uninstall()
            self.threads = None
        if self.trio is not None:
            self.trio.uninstall()
            self.trio = None
        for driver in self.drivers.values():
            driver.detach()
        self.drivers.clear()
        self.turning.clear()
        self.time.dismiss()
        self.external.uninstall()
        current = None

    # --- loops ----------------------------------------------------------------------------------

    def attach(self, loop: Any) -> Driver:
        """Let a loop live in virtual time.

        Raises:
            UnsupportedLoop: its time cannot be driven.
        """
        found = self.drivers.get(id(loop))
        if found is not None and found.loop is loop:
            return found
        driver = driver_for(loop, self.time)
        if not self.drivers and not self.time.participants and self.settings.start is None:
            self.time.rebase(max(self.time.now, math.ceil(loop.time())))
        driver.attach()
        driver.closed = self.closed
        self.drivers[id(loop)] = driver
        trace = getattr(driver, "trace", None)
        if trace is not None:
            self.traces.append(trace)
        return driver

    def closed(self, driver: Driver) -> None:
        """Forget a loop that is closed."""
        if self.drivers.get(id(driver.loop)) is driver:
            del self.drivers[id(driver.loop)]
            driver.detach()

    def trace(self) -> str:
        """Return a digest of everything that the loops have run; empty where it was not put down."""
        digests = [trace.digest() for trace in self.traces]
        return digests[0] if len(digests) == 1 else combined(digests)

    def attach_running(self, loop: Any) -> None:
        """Let the loop that the calling thread runs live in virtual time."""
        driver = self.attach(loop)
        if not driver.running:
            self._begins(driver)

    def begins(self, loop: Any) -> None:
        """Drive a loop that begins to run in this thread."""
        self._begins(self.attach(loop))

    def _begins(self, driver: Driver) -> None:
        own = self.turning.setdefault(threading.get_ident(), [])
        if driver not in own:
            own.append(driver)
            driver.begins()

    def ends(self) -> None:
        """Note that this thread runs no loop any more, or the one outside of the one that has ended."""
        own = self.turning.get(threading.get_ident())
        if own:
            own.pop().ends()


Running = turning.Running
current: World | None = None
"""The one that is in force."""


def driver_for(loop: Any, time: VirtualTime) -> Driver:
    """Return what drives a loop.

    Raises:
        UnsupportedLoop: nothing does.
    """
    why = turning.refusal(loop)
    if why:
        raise UnsupportedLoop(f"{why}: run this test on asyncio's own loop, or on uvloop's")
    if is_a(loop, tuple(asyncio_.uvloops())):
        from pytest_taskleak.loops.uv import UvloopDriver

        return UvloopDriver(loop, time)
    from pytest_taskleak.loops.hooks import SelectorDriver
    from pytest_taskleak.loops.stepping import StepDriver, wanted

    if wanted(time.settings):
        return StepDriver(loop, time)
    return SelectorDriver(loop, time)


def combined(digests: list[str]) -> str:
    """Return one digest of several; empty if there is none."""
    if not digests:
        return ""
    import hashlib

    return hashlib.blake2b("".join(digests).encode(), digest_size=8).hexdigest()
