"""What do the tests of published designs ask of a sweep?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.plan import Limits
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep, each, installed

ALL = ("stop", "cancel", "stop2", "kill", "fault")
MOST_POINTS = 100

Load = Callable[..., Any] | None


class Swept:
    """What came of every run, by axis.

    Parameters:
        target: the service.
        load: what is handed in.
        limits: virtual times.
        axes: the axes.
        seeds: the schedules.
    """

    def __init__(
        self,
        target: Any,
        load: Load = None,
        limits: Limits | None = None,
        axes: Sequence[str] = ALL,
        seeds: Sequence[int] = (0,),
    ) -> None:
        name = getattr(target, "__name__", "service")
        self.sweep = Sweep(maker(target), load, name, axes, seeds, limits or Limits())
        self.outcomes = list(each(self.sweep))
        with installed(self.sweep.primitives):
            self.outcomes += [self.sweep.baseline(seed).outcome for seed in seeds]
        self.points = self.sweep.baseline(seeds[0]).outcome.points
        assert self.points <= MOST_POINTS, "keep it small"

    def of(self, axis: str) -> list[Outcome]:
        """Return the runs of an axis."""
        found = [outcome for outcome in self.outcomes if outcome.plan.axis == axis]
        assert found, f"no run of {axis}"
        return found

    def letters(self, axis: str) -> str:
        """Return what an axis finds: the letters, sorted."""
        return "".join(sorted({v.oracle for outcome in self.of(axis) for v in faults(outcome)}))

    def failing(self, axis: str) -> int:
        """Return how many runs of an axis fail."""
        return sum(bool(faults(outcome)) for outcome in self.of(axis))

    def always(self, axis: str) -> bool:
        """Tell whether every run of an axis fails."""
        return self.failing(axis) == len(self.of(axis))

    def told(self) -> list[str]:
        """Return all that is wrong, with the run that shows it."""
        return [
            f"{outcome.plan.axis}@{outcome.plan.point} victim {outcome.plan.victim} {outcome.plan.dependency}"
            f":{outcome.plan.call}{'+' * outcome.plan.persistent} seed {outcome.plan.seed}"
            f" {v.oracle} {v.text} ({v.where})"
            for outcome in self.outcomes
            for v in faults(outcome)
        ]


def faults(outcome: Outcome) -> list[Any]:
    """Return the violations of a run that fail a test."""
    return [violation for violation in outcome.violations if violation.scale == "violation"]
