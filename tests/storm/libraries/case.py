"""What is one library under the storm, and what is expected of it?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.observing import Observer
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep

AXES = ("stop", "cancel", "stop2", "kill", "fault")
LIMITS = Limits(linger=0.1)


class Noting(Sweep):
    """A sweep that notes the letters of each axis."""

    __slots__ = ("letters",)
    letters: defaultdict[str, set[str]]

    def run(self, plan: Plan, observer: Observer | None = None) -> Outcome:
        """Make one run."""
        outcome = super().run(plan, observer)
        for violation in outcome.violations:
            if violation.scale == "violation":
                self.letters[plan.axis].add(violation.oracle)
        return outcome


@dataclass(frozen=True)
class Case:
    """A service that stands on a library.

    Parameters:
        package: the name of the distribution.
        what: which part of it.
        service: takes the environment.
        load: what is handed in.
        expect: axis -> the letters of what is found; an axis that is not named finds nothing.
        limits: virtual times.
        axes: the axes.
    """

    package: str
    what: str
    service: Callable[..., Any]
    load: Callable[..., Any] | None
    expect: dict[str, str] = field(default_factory=dict)
    limits: Limits = LIMITS
    axes: tuple[str, ...] = AXES

    def swept(self, seed: int = 0) -> tuple[StormReport, dict[str, str]]:
        """Return the report, and the letters that each axis finds."""
        sweep = Noting(maker(self.service), self.load, self.what, self.axes, (seed,), self.limits)
        sweep.letters = defaultdict(set)
        report = sweep.sweep()
        return report, {axis: "".join(sorted(found)) for axis, found in sorted(sweep.letters.items())}
