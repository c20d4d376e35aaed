"""How is a stock loop driven by a turn of our own?

`_run_once` of the instance is replaced: a turn that jumps costs less than with hooks.  With a seed it chooses
every order that asyncio leaves open, and puts down what it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import stepping, task_steps, turning, turns, watched
from pytest_taskleak.adapt.task_steps import Numbering
from pytest_taskleak.loops.arrivals import Arrivals
from pytest_taskleak.loops.errors import UnsupportedLoop
from pytest_taskleak.loops.hooks import SelectorDriver
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.schedule import LATENESS, Schedule
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.trace import Trace
from pytest_taskleak.loops.virtual import VirtualTime


class StepDriver(SelectorDriver):
    """Drives a stock loop turn by turn.

    Parameters: see `Driver`.

    Raises:
        UnsupportedLoop: the loop turns in a way of its own.
    """

    def __init__(self, loop: Any, time: VirtualTime) -> None:
        if turns.overridden(loop):
            kind = type(loop)
            raise UnsupportedLoop(
                f"{kind.__module__}.{kind.__qualname__} has a _run_once of its own, which a seed or "
                "driver='step' would replace: use driver='hooks' without a seed"
            )
        super().__init__(loop, time)
        self.plan = Schedule(time.settings.seed, time.settings.level)
        self.trace: Trace | None = None
        self.numbering = Numbering(loop)
        self.arrivals = Arrivals(self, self.plan)
        self.given = self.arrivals.given
        self.turn = 0
        self.pipe: Any = None
        self.before: Callable[[int], None] | None = None
        """Called before each callback that is put down, with its number."""
        self._began = 0.0
        self._calling = False
        self._turn: Any = None
        self._ours: list[tuple[str, Any, Any]] = []

    # --- in and out -----------------------------------------------------------------------------

    def attach(self) -> None:
        super().attach()
        stepping.quicken(self.loop)
        later = stepping.call_later(self.loop)
        if later is not None:
            self._replace("call_later", later)
        self._turns_by(turns.plain_turn(self))
        if self.plan.chooses:
            self.put_down()
            self._replace("call_soon_threadsafe", self._call_soon_threadsafe)
            self._replace("run_in_executor", self._run_in_executor)
            self._replace("create_task", self._create_task)

    def detach(self) -> None:
        self.arrivals.bring_all()
        for name, ours, before in self._ours:
            turning.restore(self.loop, name, ours, before)
        self._ours.clear()
        if self.trace is not None:
            self.numbering.end()
        turning.restore(self.loop, "_run_once", self._turn, turning.ABSENT)
        super().detach()

    def put_down(self) -> Trace:
        """Put down from here on what the loop runs."""
        if self.trace is None:
            self.trace = Trace()
            self._began = self.time.now
            self.pipe = watched.pipe_handle(self.fds, self.own_fd)
            self.numbering.begin()
            ours = watched.watched_turn(self)
            if turning.instance_attribute(self.loop, "_run_once") is self._turn:
                self._turns_by(ours)
        return self.trace

    def _turns_by(self, turn: Callable[[], None]) -> None:
        self._turn = turn
        turns.set_turn(self.loop, turn)

    def raise_next(self, error: BaseException) -> None:
        before = self._turn

        def turn() -> None:
            self._turns_by(before)
            raise error

        turning.unstop(self.loop)
        self._turns_by(turn)

    def ends(self) -> None:
        with self.arrivals.lock:
            super().ends()
            self.arrivals.bring_all()

    def _replace(self, name: str, ours: Any) -> None:
        self._ours.append((name, ours, turning.instance_attribute(self.loop, name)))
        setattr(self.loop, name, ours)

    # --- what other threads give ----------------------------------------------------------------

    def _call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        """Do what the loop's own method does; what another thread gives is kept aside."""
        with self.arrivals.lock:
            if self.running and (threading.get_ident() != self.ident or self._calling):
                handle = watched.given_handle(self.loop, callback, args, context)
                self.arrivals.give(handle)
                turning.wake(self.loop)
                return handle
        return self._original("call_soon_threadsafe")(callback, *args, context=context)

    def _run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Do what the loop's own method does, and note the call."""
        original = self._original("run_in_executor")
        if threading.get_ident() != self.ident:
            return original(executor, func, *args)
        self._calling = True
        try:
            future = original(executor, func, *args)
        finally:
            self._calling = False
        if not task_steps.is_future(future):  # a loop that does it in a way of its own
            return future
        if future.done():  # so fast was the thread: this time only
            done, future = future, task_steps.stand_in(self.loop)
            task_steps.retrieved(done)
            self.arrivals.give(watched.given_handle(self.loop, task_steps.hand_on, (future, done), None))
        self.arrivals.begin(future)
        return future

    def _create_task(self, *args: Any, **options: Any) -> Any:
        """Do what the loop's own method does; a task of another class gets its number at once."""
        task = self._original("create_task")(*args, **options)
        self.numbering.of(task)
        return task

    def _original(self, name: str) -> Any:
        """Return what the loop would do by itself; looked up late, because others replace it, too."""
        before = next((before for known, _, before in self._ours if known == name), turning.ABSENT)
        return getattr(type(self.loop), name).__get__(self.loop) if before is turning.ABSENT else before

    def bring_back(self) -> None:
        """Let the loop hear of what other threads have done, as far as its turn has come."""
        if self.arrivals.calls or self.given:
            self.arrivals.bring()

    def rest(self) -> list[Any]:
        if self.given and (self.arrivals.overdue() or not self.arrivals.at_work()):
            self.arrivals.bring_all()
            return []
        return super().rest()

    def _wait(self, seconds: float) -> bool:
        return super()._wait(seconds) or self.arrivals.overdue()

    # --- as a participant -----------------------------------------------------------------------

    def due(self) -> float:
        when = super().due()
        if self.plan.chooses and when < NEVER and self.time.free and self.plan.late(self.nanoseconds(when)):
            after = turns.second_due(self.loop) - self.offset
            return after if after - when <= LATENESS else when
        return when

    def stirs(self) -> bool:
        return bool(self.given) or super().stirs()

    def nanoseconds(self, when: float) -> int:
        """Return a virtual time as whole nanoseconds since the trace began."""
        return round((when - self._began) * 1e9)


def wanted(settings: Settings) -> bool:
    """Tell whether the settings ask for this driver."""
    return settings.driver == "step" or (settings.driver == "auto" and settings.seed is not None)
