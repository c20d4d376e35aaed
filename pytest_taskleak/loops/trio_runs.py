"""Which runs of trio live in virtual time, from when to when?"""

from __future__ import annotations

from typing import Any

from pytest_taskleak.adapt import trio_clock as inner
from pytest_taskleak.adapt.trio_children import TrioChildren
from pytest_taskleak.loops.errors import UnsupportedLoop
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.trio_clock import TrioTime
from pytest_taskleak.loops.virtual import VirtualTime


class TrioRuns:
    """The runs of trio that live in a virtual time.

    Parameters:
        time: the virtual time.
    """

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.runs: list[TrioTime] = []
        self.children = TrioChildren()
        self._setup: inner.Setup | None = None

    def install(self) -> None:
        """Let each run that begins live in virtual time, and that of the calling thread.

        Raises:
            UnsupportedLoop: that run has a clock of its own, or trio is not what it was.
        """
        if inner.core() is None:
            return
        why = inner.refusal()
        if why:
            raise UnsupportedLoop(f"{why}: run this test on asyncio, or with another release of trio")
        self._setup = inner.Setup(self._make, self._begun)
        self._setup.install()
        self.children.install()
        runner = inner.running()
        if runner is not None:
            self._attach(runner)

    def uninstall(self) -> None:
        """Put everything back; runs that go on keep their time."""
        if self._setup is not None:
            self._setup.uninstall()
            self.children.uninstall()
            self._setup = None
        for run in self.runs:
            if not run.over:
                run.detach()
        self.runs.clear()

    def current(self) -> TrioTime | None:
        """Return the run whose task calls, `None` if it is no task of trio.

        Raises:
            UnsupportedLoop: the run does not live in this virtual time.
        """
        if not inner.in_task():
            return None
        runner = inner.running()
        found = next((run for run in self.runs if run.runner is runner), None)
        return self._attach(runner) if found is None else found

    def due(self) -> float:
        """Return when the next deadline of a run is, `inf` without one."""
        return min((run.due() for run in self.runs if run in self.time.participants), default=NEVER)

    def _attach(self, runner: Any) -> TrioTime:
        if inner.has_own_clock(runner):
            raise UnsupportedLoop(
                "this run of trio was given a clock of its own, and keeps it: "
                "leave out clock=..., or do without the fake clock"
            )
        run = TrioTime(self.time, self.children)
        run.attach(runner)
        self.runs.append(run)
        return run

    def _make(self) -> tuple[Any, Any]:
        run = TrioTime(self.time, self.children)
        self.runs = [known for known in self.runs if not known.over]
        self.runs.append(run)
        return run.clock, run.after

    def _begun(self, clock: Any, runner: Any) -> None:
        for run in self.runs:
            if run.clock is clock:
                run.begins(runner)
