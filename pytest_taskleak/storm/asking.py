"""What may be asked of a storm, and what is made of its answer?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_taskleak.storm import causes
from pytest_taskleak.storm.plan import AXES, Limits
from pytest_taskleak.storm.real import RealStorm
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.shrinking import shrink
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.timing import now

MODES = ("sim", "fork", "real")
"""Every moment in virtual time; the same, each in a process forked there; random moments in real time."""


def shrunk(sweep: Sweep, report: StormReport) -> StormReport:
    """Let the first cause of a report be told by its smallest failure, where one is found in time."""
    cause = next((each for each in report.causes if each.axis in AXES and each.scale == "violation"), None)
    if cause is None or report.interrupted or not cause.token:
        return report
    try:
        small = shrink(sweep, cause)
    except LookupError:
        return report  # it does not come twice: the report says that the code is not deterministic
    place = report.causes.index(cause)
    report.causes[place] = replace(small.cause, count=cause.count, text=f"{small.cause.text} ({small.text})")
    return report


def limited(limits: Limits, times: dict[str, Any]) -> Limits:
    """Return limits with some times of their own.

    Raises:
        TypeError: one is no number.
        ValueError: one is nan, infinite or below 0.
    """
    for key, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"shutdown_storm: {key} must be seconds, 0 or more - got {value!r}")
        if not 0 <= value < float("inf"):
            raise ValueError(f"shutdown_storm: {key} must be seconds, 0 or more - got {value!r}")
    return replace(limits, **times)


def one_of_modes(mode: str) -> str:
    """Return a mode.

    Raises:
        ValueError: it is none.
    """
    if mode not in MODES:
        raise ValueError(f"shutdown_storm: mode must be one of {', '.join(MODES)} - got {mode!r}")
    return mode


def real_replayed(storm: RealStorm, token: str) -> StormReport:
    """Stop a service in real time at the moment that a token names, and return what came of it.

    Parameters:
        storm: of the same service and load.
        token: as a failure prints it.

    Raises:
        TokenError: it cannot be read.
    """
    began = now()
    outcome = storm.replay(token)
    report = StormReport(
        name=storm.name,
        points=1,
        runs=1,
        replay=token,
        deadline=storm.limits.deadline,
        claim="one moment in real time: that it fails again is likely, not certain",
    )
    report.causes = causes.of_run(outcome.violations, outcome.plan, token)
    report.seconds = now() - began
    return report
