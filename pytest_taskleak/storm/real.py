"""How is a service stopped that cannot be simulated: with real sockets, threads, processes, and real time?

It runs on the stock loop, or any other, and is stopped at random moments: some time after its start, or when
so many items were taken on or finished.  The moments are chosen by a seed; what the service does between
them is not, so that this is a sample, and no proof: a gap of a microsecond is hardly ever hit, and a failure
need not come again.  Wherever a service can be simulated, that finds more, in less time.

Each run has a thread and a loop of its own.  A stop that does not come back within the deadline is told
(`D`); a loop that does not come back, because a call blocks it, too (`B`): then the thread is given up, and
the sweep ends.  Handlers of signals that the service adds to its loop are noted, `env.signal()` calls them,
and the process itself is left alone; `signal.signal()` works in the main thread only, and so not here.  What
ends of itself within `real_world.SETTLE` seconds after the stop is not told, and neither are threads of the
loop's own pool that idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pytest_taskleak.storm.adapters import Make
from pytest_taskleak.storm.causes import Causes
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.primitives import Primitives
from pytest_taskleak.storm.real_run import AXES, Factory, Moment, RealRun, moment_of, token_of
from pytest_taskleak.storm.real_thread import Blocked, Lived, bounded
from pytest_taskleak.storm.results import AxisResult, StormReport
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.verdicts import fails
from pytest_taskleak.timing import now as real_now

MOMENTS = 40
"""Moments that a sweep tries, dealt out to the axes in turn."""
LIMITS = Limits(deadline=2.0, grace=0.0, linger=0.05, live_on=0.05)
"""The real times of a run, in seconds."""


@dataclass(slots=True)
class RealStorm:
    """A service, a load, and how many random moments are to be tried.

    Parameters:
        make: makes the service.
        load: what is handed in.
        name: of the service, for reports.
        axes: of `AXES`.
        moments: so many runs, dealt out to the axes.
        seed: chooses the moments.
        limits: real times.
        done: see `Run`.
        loop_factory: makes the loop: `asyncio.new_event_loop`, `uvloop.new_event_loop`.
        budget: real seconds; `None` for as long as it takes.
        progress: is told of the axis, and of how many of all runs were made.
    """

    make: Make
    load: Callable[..., Any] | None
    name: str
    axes: Sequence[str] = AXES
    moments: int = MOMENTS
    seed: int = 0
    limits: Limits = LIMITS
    done: Callable[[Any], Any] | None = None
    loop_factory: Factory = asyncio.new_event_loop
    budget: float | None = None
    progress: Callable[[str, int, int], None] | None = None
    primitives: Primitives = field(default_factory=Primitives)
    causes: Causes = field(default_factory=Causes)
    runs: int = 0
    last: Moment | None = None

    def sweep(self) -> StormReport:
        """Stop the service at each of the moments that there is time for.

        Raises:
            ValueError: an axis cannot be had in real time.
        """
        wrong = [axis for axis in self.axes if axis not in AXES]
        if wrong or not self.axes:
            raise ValueError(f"in real time the axes are {', '.join(AXES)}, got {', '.join(wrong) or 'none'}")
        began = real_now()
        limits = self.limits
        report = StormReport(
            name=self.name,
            seeds=(self.seed,),
            deadline=limits.deadline,
            grace=limits.grace,
            claim=f"{self.moments} random moments in real time: a sample, not a proof",
        )
        report.axes = [AxisResult(axis=axis) for axis in self.axes]
        with self._ready():
            try:
                self._sweep(report, began)
            except Blocked as error:
                report.complete = False
                self._note(error.outcome)
            except KeyboardInterrupt:
                report.interrupted, report.complete = True, False
        report.causes = self.causes.listed()
        report.runs, report.seconds = self.runs, real_now() - began
        return report

    def _sweep(self, report: StormReport, began: float) -> None:
        self._run(Plan(seed=self.seed), None)  # what is opened, imported and started once is nobody's fault
        base = self._run(Plan(seed=self.seed), None)
        self._note(base.outcome)
        if fails(base.outcome.violations):
            return  # what is wrong without any trigger comes first
        report.points = self.moments
        for number in range(self.moments):
            report.axes[number % len(self.axes)].planned += 1
        for number, moment in enumerate(self.chosen(base.lived, base.events)):
            if self.budget is not None and real_now() - began > self.budget:
                report.complete = False
                return
            axis = report.axes[number % len(self.axes)]
            outcome = self._run(Plan(axis.axis, number, self.seed), moment).outcome
            bad = [violation for violation in outcome.violations if violation.scale == "violation"]
            axis.ran += 1
            axis.failing += bool(bad)
            axis.marks[number] = bad[0].oracle if bad else "."
            axis.worst_drain = max(axis.worst_drain, outcome.drain)
            self._note(outcome)
            if self.progress is not None:
                self.progress(axis.axis, number + 1, self.moments)

    def chosen(self, lived: float, events: Sequence[str]) -> Iterator[Moment]:
        """Yield the moments, by turns of time and of progress.

        Parameters:
            lived: seconds from the start of the baseline to its natural end.
            events: what happened to its items, in order.
        """
        rng = Random(self.seed)  # noqa: S311 -- chance that comes again
        counts: Counter[str] = Counter()
        progress = []
        for kind in events:
            progress.append(Moment(kind, counts[kind]))
            counts[kind] += 1
        for number in range(self.moments):
            if progress and number // len(self.axes) % 2:
                yield rng.choice(progress)
            else:
                yield Moment("time", int(rng.random() * lived * 1e6))

    def _run(self, plan: Plan, moment: Moment | None) -> Lived:
        """Make one run, in a thread of its own.

        Raises:
            Blocked: its loop does not come back.
        """
        self.runs += 1
        self.last = moment

        def make() -> RealRun:
            return RealRun(
                self.loop_factory,
                moment,
                make=self.make,
                load=self.load,
                plan=plan,
                limits=self.limits,
                primitives=self.primitives,
                done=self.done,
            )

        gc.collect()  # what is left over from before is not this run's
        return bounded(make, plan, self.limits.deadline)

    def _note(self, outcome: Outcome) -> None:
        """Put what the last run has found with what is of the same cause."""
        self.causes.note(outcome.violations, outcome.plan, lambda: token_of(outcome.plan, self.last))

    def replay(self, token: str) -> Outcome:
        """Stop the service at the moment that a token names; that it fails again is likely, not certain.

        Raises:
            TokenError: it cannot be read.
            Blocked: the loop does not come back.
        """
        plan, moment = moment_of(token)
        with self._ready():
            return self._run(plan, moment).outcome

    @contextlib.contextmanager
    def _ready(self) -> Iterator[None]:
        """Let locks be noted, and older objects be no work for the collector."""
        self.primitives.install()
        gc.collect()
        gc.freeze()
        try:
            yield
        finally:
            gc.unfreeze()
            self.primitives.uninstall()
