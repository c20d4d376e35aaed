"""How are the runs of a long load made without running its beginning again and again?

The run without a trigger is made once; before each point at which a trigger is wanted the process is
forked, the child lets the trigger come and lives on to the end, and what came of it is sent back.  The
verdicts are those that a run from the beginning gives; only the time differs.  It is for POSIX systems, and
for processes without other threads; what a service does outside of the loop (files, prints, objects of the
test) is done in the child and lost with it.  The axis `fault` has no points, and is run as ever.

It pays for loads of ten thousand points and more only.  Measured with `tests/perf/storm_forks.py`, CPython
3.13, on two cores that others used as well, milliseconds for a run of a service with three workers:

| points | from the beginning | forked |
|-------:|-------------------:|-------:|
|     69 |                0.5 |      4 |
|    613 |                  4 |     11 |
|  1,613 |                  7 |     18 |
|  4,077 |                 16 |     17 |
| 16,077 |                 87 |     78 |
| 32,077 |                174 |     97 |

A fork itself takes less than a millisecond; the rest is memory that parent and child no longer share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from pytest_taskleak.adapt import forks
from pytest_taskleak.storm.fork_children import Children, ForkRefused, answer, refused
from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.run import Outcome, Run
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.world import WORLD
from pytest_taskleak.timing import now as real_now

CHUNK = 128
"""Runs for which one beginning is made: so the order is kept by and large, and Ctrl-C loses little."""
MOST_SECONDS = 60.0
"""Real seconds that a child may take."""


class Trunk(Run):
    """A run from which others branch off.

    Parameters:
        children: the branches.
        wanted: their plans, by their points.
        until: the real time from which on there are no more.
        options: those of `Run`.
    """

    def __init__(
        self, children: Children, wanted: dict[int, list[Plan]], until: float, **options: Any
    ) -> None:
        first = wanted[min(wanted)][0]
        super().__init__(plan=Plan("baseline", first.point, first.seed, items=first.items), **options)
        self.children, self.ahead, self.until = children, wanted, until
        self.askers = forks.askers()
        self.mouth: int | None = None
        self.error: BaseException | None = None

    def _trigger(self) -> None:
        if real_now() > self.until:
            return
        for plan in self.ahead.pop(self.loop.point):
            chance = WORLD.chance.hold()
            try:
                self.mouth = self.children.split(plan)
            except BaseException as error:  # noqa: BLE001 -- raised when the loop has ended in order
                self.error = error
                return
            if self.mouth is not None:
                WORLD.chance.resume(chance)
                forks.run_on(self.loop, self.loop.tasks, self.askers)
                self.plan = self.outcome.plan = plan
                super()._trigger()
                return
        if self.ahead:
            self.loop.at = min(self.ahead)

    def reach(self) -> None:
        """Run to the end; a child sends what came of it, and never returns."""
        try:
            outcome: Any = self.go()
        except BaseException as error:
            if self.mouth is None:
                raise
            outcome = f"{type(error).__name__}: {error}"
        if self.mouth is not None:
            answer(self.mouth, outcome)
        if self.error is not None:
            raise self.error


class ForkedSweep(Sweep):
    """A sweep that forks at each point; see `Sweep`."""

    children = 0
    """So many processes at once; 0 for as many as there are cores."""
    seconds = MOST_SECONDS
    """Real seconds that each may take."""

    def sweep(self) -> StormReport:
        """Make every run that there is time for.

        Raises:
            ForkRefused: this process cannot be forked safely.
            ForkFailed: a child has died, or its run has raised what no run may.
        """
        reason = forks.hindrance()
        if reason:
            raise ForkRefused(refused(reason))
        return super().sweep()

    def outcomes(self, plans: Sequence[Plan], began: float) -> Iterator[Outcome]:
        """Yield what comes of each run, as long as there is time."""
        until = float("inf") if self.budget is None else began + self.budget
        for pointed, group in groupby(plans, key=lambda plan: plan.point >= 0):
            alike = list(group)
            if not pointed:
                yield from super().outcomes(alike, began)
                continue
            for start in range(0, len(alike), CHUNK):
                chunk = alike[start : start + CHUNK]
                answers = self._forked(chunk, until)
                for plan in chunk:
                    if plan in answers:
                        yield answers[plan]
                    elif real_now() > until:
                        return
                    else:  # its point was not reached
                        yield self.run(plan)

    def _forked(self, plans: Sequence[Plan], until: float) -> dict[Plan, Outcome]:
        wanted: dict[int, list[Plan]] = {}
        for plan in plans:
            wanted.setdefault(plan.point, []).append(plan)
        children = Children(self.children or cores(), self.seconds)
        try:
            Trunk(
                children,
                wanted,
                until,
                make=self.make,
                load=self.load,
                limits=self.limits,
                primitives=self.primitives,
                done=self.done,
            ).reach()
            children.finish()
        finally:
            children.close()
        self.runs += 1 + len(children.answers)
        return children.answers


def cores() -> int:
    """Return how many processes can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
