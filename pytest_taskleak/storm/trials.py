"""What else can be done to a task or to time, beside what the axes of every sweep do?

Such a trial is asked for by the name of its scenario: not every contract covers it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_taskleak.adapt.asyncio_ import waiter_of
from pytest_taskleak.storm import signalling
from pytest_taskleak.storm.env import InjectedFault

if TYPE_CHECKING:
    from pytest_taskleak.storm.run import Run

LEAP = 3_600.0
"""Virtual seconds by which time leaps: each timer of an hour comes up at once."""


def begin(run: Run) -> bool:
    """Do what the plan's trial wants; return whether its moment came.

    Parameters:
        run: its plan's axis is one of `plan.TRIALS`.
    """
    if run.plan.axis == "leap":
        run.loop.now += LEAP
        run.loop.until += LEAP
        run.env.leapt += LEAP
        return True
    if run.plan.axis == signalling.AXIS:
        return signalling.begin(run)
    if run.plan.axis == "disconnect":
        return run.env.lines.leave(run.plan.call, run.plan.dependency)
    victims = (task for number, task in enumerate(run.loop.tasks) if number == run.plan.victim)
    victim = next(victims, None)
    if victim is None or victim.done():
        return False
    if run.plan.axis == "freeze":
        run.loop.frozen = victim
        return True
    return fails(victim)


def fails(task: asyncio.Task[Any]) -> bool:
    """Let what a task waits for raise, as if the worker had failed; return whether that can be done."""
    awaited = waiter_of(task)
    if not isinstance(awaited, asyncio.Future) or isinstance(awaited, asyncio.Task) or awaited.done():
        return False
    awaited.set_exception(InjectedFault(f"{task.get_name()} fails where it waits"))
    return True
