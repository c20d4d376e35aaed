"""How does a run of trio live in virtual time?

It gets a `MockClock` whose time is the virtual one.  trio asks its clock for how long it may wait only when
none of its tasks can run: that is the one place where time may move.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import trio as tasks
from pytest_taskleak.adapt import trio_clock as inner
from pytest_taskleak.adapt.stepping import BUSY
from pytest_taskleak.adapt.trio_children import TrioChildren
from pytest_taskleak.loops.creeping import CREEP_TURNS, MOST_BUSY, creep
from pytest_taskleak.loops.moment import Moment
from pytest_taskleak.loops.moved import Moved
from pytest_taskleak.loops.patience import LONGEST, Patience
from pytest_taskleak.loops.registered import Registered
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.steps import Step
from pytest_taskleak.loops.trio_wish import Wish
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait

LONG = 3600.0
"""Real seconds for which a run may wait whose time somebody else moves."""
MOST_STRIKES = 3
"""Errors that the main task may swallow before it is cancelled."""


class TrioTime:
    """One run of trio in virtual time; a participant while it lasts.

    Parameters:
        time: the virtual time.
        children: the processes that were started with trio.
    """

    def __init__(self, time: VirtualTime, children: TrioChildren) -> None:
        self.time = time
        self.children = children
        self.ident = threading.get_ident()
        self.resting = False
        self.over = False
        self.offset = 0.0
        self.runner: Any = None
        self.clock = self._make_clock()
        self.patience = Patience(time, self)
        self.selector = Registered(self._descriptors)
        self.after = After(self)
        self.steps = FirstStep(self)
        self._deadline = NEVER
        self._waiting = False  # it is watched whether a task goes on
        self._moved = Moved(time)
        self._poll: Callable[[], bool] = bool
        self.busy = self._stale = self._strikes = 0
        self._failure: BaseException | None = None

    def _make_clock(self) -> Any:
        from trio.testing import MockClock

        return inner.furnish(
            MockClock(),
            current_time=self.current_time,
            deadline_to_sleep_time=self.deadline_to_sleep_time,
            jump=self.jump,
        )

    # --- in and out -----------------------------------------------------------------------------

    def begins(self, runner: Any) -> None:
        """Note which run it is, in the thread of that run."""
        self.runner = runner
        self._poll = inner.poll_of(runner)
        self.time.join(self)

    def attach(self, runner: Any) -> None:
        """Let a run that is under way live in virtual time from the time that it has."""
        self.offset = float(runner.clock.current_time() - self.time.now)
        inner.watch(runner, self.after)
        self.begins(runner)
        inner.replace(runner, self.clock)

    def ends(self) -> None:
        """Note that the run is over."""
        self.over = True
        self.time.leave(self)

    def detach(self) -> None:
        """Let a run that goes on live in real time again, from the time that it has."""
        self.time.leave(self)
        runner = self.runner
        if runner.clock is self.clock:
            inner.replace(runner, inner.going_on(self.current_time()))
        if threading.get_ident() == self.ident:
            inner.unwatch(runner, self.after)
            inner.unwatch(runner, self.steps)

    # --- moved by hand --------------------------------------------------------------------------

    def wish(self, make: Callable[[Callable[[Step], None]], Step], *, told: bool) -> Wish:
        """Return what a task of the run waits for until time has been moved: `yield from` it.

        Parameters:
            make: returns a step that calls what it is given when it ends.
            told: whether the result is the time that was reached.
        """
        return Wish(self.runner, self.time.steps, make, told=told)

    # --- as trio's clock ------------------------------------------------------------------------

    def current_time(self) -> float:
        """Return what time it is; trio asks after each wait, before it runs anything."""
        time = self.time
        if threading.get_ident() == self.ident:
            if self.resting:
                self._wakes()
            self.busy += 1
            if self.busy >= BUSY and not self.busy % CREEP_TURNS:
                self._tired()
        now = time.now if time.real_since is None else time.live()
        return Moment(now + self.offset) if self.offset else now

    def jump(self, seconds: float) -> None:
        """Move time on at once.

        Raises:
            ValueError: backwards.
        """
        if seconds < 0:
            raise ValueError("time can't go backwards")
        with self.time.lock:
            self.time.move(self.time.now + seconds)
            self.time.wake_due(self)

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return for how many real seconds trio may wait for events, now that no task can run.

        Parameters:
            deadline: the next one of a scope.
        """
        self._deadline, self.busy = deadline, 0
        if deadline <= self.current_time():
            return 0.0
        if inner.waits_for_idle(self.runner):
            return LONG  # that comes before any jump, as with trio's own clock
        if self._poll():
            return 0.0
        if self._failure is not None:
            self._strike(self._failure)
        self._moved.see(self._descriptors(), active=not self._waiting)
        child = self._child() if self.children.known else None
        self.resting = child is None
        return LONG if self._is_driven() else self._rest(child)

    def _child(self) -> Wait | None:
        """Return a child process that is awaited, `None` if there is none."""
        found = self.children.awaited(set(self._descriptors()))
        limit = self.time.settings.hang_after
        return Wait("child", f"{found} is awaited by a task of trio", limit, LONGEST) if found else None

    def _rest(self, child: Wait | None) -> float:
        """Move time as far as may be; return for how many real seconds to wait."""
        try:
            why = self.patience.ask() if child is None else self.patience.stand(child)
        except BaseException as failure:
            self._wakes()
            self._strikes += 1
            if self._strikes > 2 * MOST_STRIKES:
                raise  # the run breaks down, and tells why
            self._failure = failure
            self._strike(failure)
            return 0.0
        if why is not None:
            self._stale = 0
            self._wait()
            return self.patience.pause(why)
        if self.due() <= self.time.now or self.stirs():
            self._stale = 0
            self._wakes()
            return 0.0
        self._stale += 1  # somebody else goes on, or nobody ever will
        return min(LONGEST, self._stale * 0.001)

    def _tired(self) -> None:
        """Let time creep in a run that never comes to rest: it asks what time it is in every turn."""
        self._deadline = inner.next_deadline(self.runner)
        in_vain = self.busy >= MOST_BUSY
        self.busy *= not in_vain
        try:
            creep(self.patience, in_vain=in_vain)
        except BaseException as failure:  # noqa: BLE001 -- it is the main task's
            self._strikes += 1
            self._strike(failure)

    def _is_driven(self) -> bool:
        """Tell whether the run is the guest of a loop that moves time."""
        others = self.time.participants
        return inner.is_guest(self.runner) and any(p is not self and p.ident == self.ident for p in others)

    def _strike(self, failure: BaseException) -> None:
        """Raise a failure in the main task where it waits; if that is a thread, when the thread is done.

        A main task that goes on all the same is cancelled, and the failure is the result of the run.
        """
        if self._strikes > MOST_STRIKES:
            self.after.failure = failure
            inner.cancel(self.runner)
            return

        def take() -> BaseException:
            self._failure = None
            return failure

        inner.strike(self.runner, take)

    # --- waiting --------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Watch whether a task goes on."""
        if not self._waiting:
            inner.watch(self.runner, self.steps)
        self._waiting = True

    def active(self) -> None:
        """Note that a task goes on although time stood: something came from outside."""
        inner.unwatch(self.runner, self.steps)
        self.patience.end()
        self._waiting = False

    def _wakes(self) -> None:
        """Note that the run goes on."""
        self.patience.note()
        with self.time.lock:
            self.resting = False

    # --- as a participant -----------------------------------------------------------------------

    def due(self) -> float:
        """Return when the next deadline is, `inf` without one."""
        when = self._deadline - self.offset
        while when + self.offset < self._deadline < NEVER:  # rounded down
            when = math.nextafter(when, NEVER)
        return when

    def stirs(self) -> bool:
        """Tell whether there is something for the run to do."""
        return inner.queued(self.runner) or self._poll()

    def wake(self) -> None:
        """End the wait of the run; called from any thread."""
        inner.rouse(self.runner)

    def waits(self) -> list[str]:
        """Return what each task of the run waits for, as lines."""
        lines = []
        for task in tasks.tasks_of(self.runner):
            what, at = tasks.waits_for(task)
            place = f" at {at[0].co_filename}:{at[1]}" if at is not None else ""
            lines.append(f"  task {task.name} of trio waits for {what or 'something'}{place}")
        return lines

    def _descriptors(self) -> list[int]:
        return list(inner.descriptors(self.runner))


class After:
    """An instrument of trio that sees a run end."""

    def __init__(self, run: TrioTime) -> None:
        self._run = run
        self.failure: BaseException | None = None

    def after_run(self) -> None:
        """Note the end."""
        self._run.ends()
        if self.failure is not None:
            inner.fail(self._run.runner, self.failure)


class FirstStep:
    """An instrument of trio that sees the first step of a task."""

    def __init__(self, run: TrioTime) -> None:
        self._run = run

    def before_task_step(self, task: Any) -> None:
        """Note it."""
        self._run.active()
