"""What is done to a service in a run, now that the moment of the plan has come?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.adapt.links import frames_of
from pytest_taskleak.storm import trials

if TYPE_CHECKING:
    from pytest_taskleak.storm.adapters import Subject
    from pytest_taskleak.storm.run import Run


def strike(run: Run) -> bool:
    """Do what the plan wants; return whether its moment has come."""
    if run.root is not None and run.root.done():
        return True  # the program is over, its loop about to end: nobody is there to stop it
    axis = run.plan.axis
    if axis in ("stop", "stop2"):
        if run.subject is None:
            return True  # nothing is there yet: the root goes on, and stops it at its end
        run.begin_end()
        run.stopping = True
        for _ in range(2 if axis == "stop2" else 1):
            stop(run, run.subject)
    elif axis in ("cancel", "pair"):
        run.begin_end()
        cancel_root(run)
        if axis == "pair":
            run.loop.at = run.plan.second
            run.loop.inject = lambda: cancel_root(run)
    elif axis == "kill":
        run.victim = next((task for n, task in enumerate(run.loop.tasks) if n == run.plan.victim), None)
        if run.victim is not None:
            run.killed = run.env.killed = run.loop.time()
            if asks(run, run.victim):
                run.env.ledger.cut_off(run.victim, run.client_codes())
            run.victim.cancel()
    else:
        return trials.begin(run)
    return True


def cancel_root(run: Run) -> None:
    """Cancel the program's own task, if it has not ended."""
    if run.root is not None and not run.root.done():
        run.root.cancel()


def stop(run: Run, subject: Subject) -> None:
    """Stop the service from outside, as a supervisor does."""

    def stopped(_: asyncio.Task[Any]) -> None:
        if all(task.done() for task in run.stops):
            run.natural_end()

    task = run.loop.create_task(subject.stop(), name=f"stop-{len(run.stops)}")
    run.harness.add(task)
    run.stops.append(task)
    task.add_done_callback(stopped)


def asks(run: Run, task: asyncio.Task[Any]) -> bool:
    """Tell whether a client stands in code of the service, which has not answered yet."""
    if task not in run.env.clients:
        return False
    codes = [frame.f_code for frame in frames_of(task)]
    return any(
        kind_of(code.co_filename) in (USER, LIBRARY) and code not in run.client_codes() for code in codes
    )
