"""How is a whole service swept: a clean baseline, then one run for each moment of each axis?"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_taskleak.adapt.anyio_hermetic import AnyioInOrder
from pytest_taskleak.adapt.outside import Outside
from pytest_taskleak.adapt.task_steps import CLASSES
from pytest_taskleak.storm import axes
from pytest_taskleak.storm.adapters import Make
from pytest_taskleak.storm.causes import Causes
from pytest_taskleak.storm.observing import Observer, Step
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.primitives import Primitives
from pytest_taskleak.storm.results import AxisResult, StormReport, Story
from pytest_taskleak.storm.run import Outcome, Run
from pytest_taskleak.storm.signalling import tried
from pytest_taskleak.storm.telling import divergence, listening, tell
from pytest_taskleak.storm.tokens import plan_of, token_of
from pytest_taskleak.storm.verdicts import fails
from pytest_taskleak.storm.world import WORLD
from pytest_taskleak.timing import now as real_now

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Baseline:
    """The run of one seed without a trigger.

    Parameters:
        outcome: what came of it.
        steps: what it did.
        whole: callbacks up to the end of its stop.
        begun: the first point after the start.
    """

    outcome: Outcome
    steps: list[Step]
    whole: int
    begun: int

    def plans(self, axis: str, seed: int) -> list[Plan]:
        """Return the runs of one axis, in the order of their points."""
        own = self.outcome
        return axes.plans(axis, self.steps, own.points, own.depended, seed, self.whole, own.moments)


@dataclass(slots=True)
class Sweep:
    """A service, a load, and what is to be tried.

    Parameters:
        make: makes the service.
        load: what is handed in.
        name: of the service, for reports.
        axes: the axes, in their order.
        seeds: each is a schedule of its own.
        limits: virtual times.
        done: see `Run`.
        budget: real seconds; `None` for as long as it takes.
        progress: is told of the axis, and of how many of its runs were made.
        part: which of how many parts of the runs: the others are somebody else's.
    """

    make: Make
    load: Callable[..., Any] | None
    name: str
    axes: Sequence[str]
    seeds: Sequence[int] = (0,)
    limits: Limits = field(default_factory=Limits)
    done: Callable[[Any], Any] | None = None
    budget: float | None = None
    progress: Progress | None = None
    part: tuple[int, int] = (0, 1)
    primitives: Primitives = field(default_factory=Primitives)
    baselines: dict[tuple[int, int], Baseline] = field(default_factory=dict)
    causes: Causes = field(default_factory=Causes)
    runs: int = 0

    # --- one run ------------------------------------------------------------------------------------

    def run(self, plan: Plan, observer: Observer | None = None) -> Outcome:
        """Make one run, and let what it has dropped be told."""
        self.runs += 1
        run = Run(
            self.make,
            self.load,
            plan,
            self.limits,
            primitives=self.primitives,
            observer=observer,
            done=self.done,
        )
        return run.go()

    def baseline(self, seed: int, items: int = -1) -> Baseline:
        """Return the run without a trigger, made once for each seed and number of items."""
        known = self.baselines.get((seed, items))
        if known is None:
            observer = Observer()
            outcome = self.run(Plan("baseline", -1, seed, items=items), observer)
            steps = observer.steps
            begun = next((n for n, step in enumerate(steps) if step.label.startswith("load@")), 0)
            known = self.baselines[seed, items] = Baseline(outcome, steps, len(steps), begun)
        return known

    # --- all of them --------------------------------------------------------------------------------

    def sweep(self) -> StormReport:
        """Make every run that there is time for."""
        began = real_now()
        report = StormReport(
            name=self.name,
            seeds=tuple(self.seeds),
            deadline=self.limits.deadline,
            grace=self.limits.grace,
        )
        with installed(self.primitives), listening(None):
            try:
                self._sweep(report, began)
            except KeyboardInterrupt:
                report.interrupted, report.complete = True, False
            if not report.complete:
                self._plan_rest(report)
            report.causes = self.causes.listed()
            report.story = self._story(report.causes[0].token) if report.causes else None
        report.runs, report.seconds = self.runs, real_now() - began
        return report

    def _sweep(self, report: StormReport, began: float) -> None:
        for seed in self.seeds:
            base = self.baseline(seed)
            report.points = report.points or base.outcome.points
            if seed == self.seeds[0]:
                self._check_self(report, seed, base)
            self._note(base.outcome, base)
            if fails(base.outcome.violations):
                continue  # what is wrong without any trigger comes first
            for axis in self.axes:
                if not self._axis(report, axis, seed, base, began):
                    return

    def _axis(self, report: StormReport, axis: str, seed: int, base: Baseline, began: float) -> bool:
        """Sweep one axis; return whether there is time left."""
        found = next((result for result in report.axes if result.axis == axis), None)
        if found is None:
            found = AxisResult(axis=axis)
            report.axes.append(found)
        outcome = base.outcome
        runs = base.plans(axis, seed)
        ordered = axes.ordered(runs, base.steps, base.begun)[self.part[0] :: self.part[1]]
        found.planned += len(ordered)
        places = {plan: place for place, plan in enumerate(runs)}
        number = 0
        for number, outcome in enumerate(tried(axis, self.outcomes(ordered, began), len(runs)), 1):
            plan = outcome.plan
            found.ran += 1
            bad = [violation for violation in outcome.violations if violation.scale == "violation"]
            found.failing += bool(bad)
            found.worst_drain = max(found.worst_drain, outcome.drain)
            place = plan.point if plan.point >= 0 else places[plan]
            mark = bad[0].oracle if bad else "."
            if found.marks.get(place, ".") == ".":
                found.marks[place] = mark
            if outcome.violations:
                self._note(outcome, base)
            if self.progress is not None:
                self.progress(axis, number, len(ordered))
        report.complete = report.complete and number == len(ordered)
        return number == len(ordered)

    def outcomes(self, plans: Sequence[Plan], began: float) -> Iterator[Outcome]:
        """Yield what comes of each run, as long as there is time.

        Parameters:
            plans: the runs.
            began: when the sweep began, in real seconds.
        """
        for plan in plans:
            if self.budget is not None and real_now() - began > self.budget:
                return
            yield self.run(plan)

    def _note(self, outcome: Outcome, base: Baseline) -> None:
        """Put what one run has found with what is of the same cause."""
        self.causes.note(outcome.violations, outcome.plan, lambda: token_of(outcome.plan, base.steps))

    def _check_self(self, report: StormReport, seed: int, base: Baseline) -> None:
        """Run the baseline once more: where it differs, the code under test is not deterministic."""
        observer = Observer()
        self.run(Plan("baseline", -1, seed), observer)
        report.deterministic = observer.steps == base.steps
        if not report.deterministic:
            pairs = zip(base.steps, observer.steps, strict=False)
            place = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
            report.divergence = divergence(base.steps, observer.steps, place)

    def _plan_rest(self, report: StormReport) -> None:
        """Put down how much was asked for, also of what was not begun; other seeds ask as the first one."""
        first = self.baselines.get((self.seeds[0], -1))
        for axis in self.axes:
            found = next((result for result in report.axes if result.axis == axis), None)
            if found is None:
                found = AxisResult(axis=axis)
                report.axes.append(found)
            found.planned = 0
            for seed in self.seeds:
                base = self.baselines.get((seed, -1), first)
                if base is not None and not fails(base.outcome.violations):
                    found.planned += len(base.plans(axis, seed))

    # --- one moment ---------------------------------------------------------------------------------

    def _story(self, token: str) -> Story:
        """Make the run that a token names once more, and return all of it."""
        plan = plan_of(token, lambda seed, items: self.baseline(seed, items).steps)
        return tell(lambda observer: self.run(plan, observer), token)[1]

    def replay(self, token: str, observer: Observer | None = None) -> Outcome:
        """Make the run that a token names.

        Raises:
            TokenError: it cannot be read, or the moment does not come any more.
        """
        with installed(self.primitives):
            plan = plan_of(token, lambda seed, items: self.baseline(seed, items).steps)
            return self.run(plan, observer)


class installed:  # noqa: N801 -- read as a word: with installed(...)
    """Let tasks hash by number, locks be noted, and older objects be no work for the collector."""

    def __init__(self, primitives: Primitives) -> None:
        self.primitives = primitives
        self.anyio, self.outside = AnyioInOrder(), Outside()

    def __enter__(self) -> None:
        CLASSES.install()
        self.anyio.install()
        self.primitives.install()
        self.outside.install()
        WORLD.install()
        gc.collect()
        gc.freeze()

    def __exit__(self, *_: object) -> None:
        gc.unfreeze()
        WORLD.uninstall()
        self.outside.uninstall()
        self.primitives.uninstall()
        self.anyio.uninstall()
        CLASSES.uninstall()


def each(sweep: Sweep) -> Iterator[Outcome]:
    """Yield the outcome of every run of a sweep, in the order of points: for tests."""
    with installed(sweep.primitives):
        for seed in sweep.seeds:
            base = sweep.baseline(seed)
            for axis in sweep.axes:
                yield from (sweep.run(plan) for plan in base.plans(axis, seed))
