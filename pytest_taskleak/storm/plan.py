"""What is done to a service in one run, and how is that named so that it can be done again?"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_taskleak.storm.env import Fault

AXES = ("stop", "cancel", "stop2", "kill", "fault", "pair")
"""The triggers: stop; cancel the root; stop twice at once and once more; cancel one task; let a dependency
fail; cancel the root and, while it ends, once more."""
TRIALS = ("raise", "freeze", "leap", "inside", "disconnect", "signal")
"""Triggers for who asks: let what a task waits for fail; never run a task again; let time leap; let a task of
the service stop it; let a client leave in the middle of its connection; deliver a SIGTERM."""
WITH_VICTIM = ("kill", "raise", "freeze")
"""Triggers that are for one task at one of its suspensions."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run.

    Parameters:
        axis: one of `AXES` or `TRIALS`, or `baseline`.
        point: before which callback the trigger comes, from 0; -1 for none.
        seed: decides what is left open.
        victim: for `kill`: the number of the task by its birth.
        before: for `kill`: whether the victim is just about to run, and has been woken or has not begun.
        second: for `pair`: before which callback after the first the second cancel comes.
        dependency: for `fault` and `inside`: in a call of which the trigger comes; for `disconnect`: the way.
        call: the number of that call; for `disconnect`: of the connection.
        persistent: for `fault`: whether all later calls fail, too.
        items: for how many items the load is asked, where it can be asked; -1 for as many as it likes.
    """

    axis: str = "baseline"
    point: int = -1
    seed: int = 0
    victim: int = -1
    before: bool = False
    second: int = -1
    dependency: str = ""
    call: int = -1
    persistent: bool = False
    items: int = -1

    @property
    def fault(self) -> Fault | None:
        """The call that fails."""
        fails = self.axis == "fault" and self.dependency
        return Fault(self.dependency, self.call, self.persistent) if fails else None


@dataclass(frozen=True, slots=True)
class Limits:
    """The virtual times of a run, in seconds, and how many callbacks it may take.

    Parameters:
        deadline: for a stop, from its beginning.
        grace: for what a stop may still leave running when it has returned.
        linger: how long the service lives after the load was handed in.
        live_on: how long the world goes on after the stop, so that late timers come up.
        most: callbacks of one run.
    """

    deadline: float = 10.0
    grace: float = 0.0
    linger: float = 1.0
    live_on: float = 30.0
    most: int = 100_000
