"""How does a run in real time never take more than its time, whatever the service does to its thread?

The loop is asked for a sign of life again and again.  If there is none for long, the thread is shown where it
stands, an exception is raised in it, and it is given up.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.adapt.running import throw
from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.real_outside import standing
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.verdicts import Violation
from pytest_taskleak.timing import now as real_now

if TYPE_CHECKING:
    from pytest_taskleak.storm.real_run import RealRun

PING = 0.05
"""Real seconds between two looks."""
PATIENCE = 1.0
"""Real seconds that a loop may stay away beyond twice the deadline, which pools may take to end."""
TRIES = 5
"""Times that an exception is raised in a thread that does not end."""


class Broken(BaseException):
    """Is raised in a thread that holds up everything."""


class Blocked(Exception):
    """A loop does not come back.

    Parameters:
        outcome: what is told of it.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.violations[0].text)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Lived:
    """What a run came to.

    Parameters:
        outcome: what was wrong.
        lived: seconds from its start to its natural end.
        events: what happened to its items, in order.
    """

    outcome: Outcome
    lived: float
    events: list[str]


class Runner:
    """A run in a thread of its own.

    Parameters:
        make: makes the run, in that thread.
    """

    def __init__(self, make: Callable[[], RealRun]) -> None:
        self.make = make
        self.run: RealRun | None = None
        self.error: BaseException | None = None
        self.seen = real_now()
        self.asked = False
        context = contextvars.copy_context()
        self.thread = threading.Thread(target=context.run, args=(self._work,), name="storm", daemon=True)

    def _work(self) -> None:
        try:
            self.run = self.make()
            self.run.go()
        except BaseException as error:  # noqa: BLE001 -- it is told where the storm was asked for
            self.error = error

    def look(self, plan: Plan, patience: float) -> None:
        """Ask the loop for a sign of life.

        Parameters:
            plan: what is done in the run.
            patience: real seconds for which there may be none.

        Raises:
            Blocked: there was none for longer.
        """
        away = self._ask()
        if away > patience and self.thread.is_alive():
            where = standing(current_frames().get(self.thread.ident or 0))
            raise Blocked(blocked(plan, where, away))

    def _ask(self) -> float:
        """Ask the loop for a sign of life; return for how many real seconds there was none."""
        if not self.asked and self.run is not None:
            self.asked = True
            self._tell(self._answer)
        return real_now() - self.seen

    def _answer(self) -> None:
        self.seen, self.asked = real_now(), False

    def _tell(self, what: Callable[[], object]) -> None:
        if self.run is not None:
            with contextlib.suppress(RuntimeError):  # it is closed
                self.run.world.real.call_soon_threadsafe(what)

    def give_up(self) -> None:
        """Let the thread end: in order, as long as its loop is alive, else by an exception.

        A thread that runs no Python code is left to itself.
        """
        if self.run is not None:
            self._tell(self.run.hurry)
        for _ in range(TRIES):
            if self._ask() > PATIENCE:
                throw(self.thread.ident or 0, Broken)
            since = real_now()
            while self.thread.is_alive() and real_now() - max(since, self.seen) < PATIENCE:
                self.thread.join(PING)
                self._ask()
            if not self.thread.is_alive():
                return


def bounded(make: Callable[[], RealRun], plan: Plan, deadline: float) -> Lived:
    """Make a run, and return what it came to when it has ended.

    Parameters:
        make: makes it.
        plan: what is done in it.
        deadline: real seconds for a stop.

    Raises:
        Blocked: its loop does not come back.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # what is left open is told
        runner = Runner(make)
        runner.thread.start()
        try:
            while runner.thread.is_alive():
                runner.thread.join(PING)
                runner.look(plan, 2 * deadline + PATIENCE)
        except BaseException:
            runner.give_up()
            raise
        lived = lived_of(runner)
        runner.run = None
        gc.collect()
    return lived


def lived_of(runner: Runner) -> Lived:
    """Return what a run came to that has ended; raise what none may raise."""
    run, error = runner.run, runner.error
    if run is None:
        raise error or RuntimeError("the run has come to nothing")
    if isinstance(error, SystemExit):
        run.outcome.violations.append(Violation("E", f"the service raised {error!r}", "SystemExit"))
    elif error is not None:
        raise error
    return Lived(run.outcome, run.lived, run.events)


def blocked(plan: Plan, where: str, seconds: float) -> Outcome:
    """Return what is told of a loop that does not come back."""
    text = f"the loop did not come back for {seconds:.1f} s: its thread is in {where}; no more runs were made"
    return Outcome(plan, hit=True, violations=[Violation("B", text, where)])
