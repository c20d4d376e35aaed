"""How are scenarios made that need more than one plain sweep, and how is what they find told with the rest?

Each gets a sweep in a world of its own, or its cycles.  Its tokens begin with its key, as in
`S6/stop@worker@Service.work+3~0`, so that a replay finds the same world again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pytest_taskleak.storm.catalogue import CATALOGUE, Choice, Scenario
from pytest_taskleak.storm.causes import Causes, joined
from pytest_taskleak.storm.cycles import cycle, soak
from pytest_taskleak.storm.growth import CycleReport
from pytest_taskleak.storm.needs import HELD, demand, lines, look, title
from pytest_taskleak.storm.results import AxisResult, StormReport
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.telling import replayed
from pytest_taskleak.storm.tokens import TokenError
from pytest_taskleak.timing import now

CYCLES = 12
HOURS = 2.0
MARK = "/"
"""Stands between the key of a scenario and the rest of a token, and before the name of an axis in reports."""


def perform(choice: Choice, sweep: Sweep) -> StormReport:
    """Make a plain sweep, then each scenario that needs more, and return all of it as one report.

    Those are left out, and the report says so and that it is not complete, if the service fails without any
    trigger, if it was stopped by hand, or if the time is over.

    Parameters:
        choice: what was asked for; the sweep has its axes and seeds.
        sweep: the plain one, not yet made.

    Raises:
        ValueError: what was asked for by name needs what the service has not.
    """
    began = now()
    held = next((within(scenario, sweep, None) for scenario in choice.others if scenario.world.held), None)
    demand(choice, sweep, held)
    report = sweep.sweep() if choice.axes else nothing_yet(sweep)
    report.left_out.update(choice.left_out)
    look(report, sweep)
    sound = not any(cause.axis == "baseline" and cause.scale == "violation" for cause in report.causes)
    for place, scenario in enumerate(choice.others):
        left = None if sweep.budget is None else sweep.budget - (now() - began)
        if not sound or report.interrupted or (left is not None and left <= 0):
            report.complete = False
            report.not_begun = [each.key for each in choice.others[place:]]
            break
        if held is not None and scenario.world.held and lines(held, kept=True) == 0:
            report.left_out[title(scenario.key)] = HELD
            continue
        merge(report, made(scenario, sweep, left))
    report.seconds = now() - began
    return report


def replay(sweep: Sweep, token: str) -> StormReport:
    """Make the run that a token names, in the world of its scenario.

    Parameters:
        sweep: of the same service and load.
        token: as a failure prints it.

    Raises:
        TokenError: it cannot be read, or the moment does not come any more.
    """
    key, mark, rest = token.partition(MARK)
    if key not in CATALOGUE or not (mark or CATALOGUE[key].kind != "sweep"):
        return replayed(sweep, token)
    scenario = CATALOGUE[key]
    if scenario.lacks or scenario.plain:
        raise TokenError(f"no token of a storm: {token!r}; none of {key} {scenario.name} begins so")
    if scenario.kind == "sweep":
        report = replayed(within(scenario, sweep, None), rest)
        report.replay = token
        report.causes = [replace(cause, token=token) for cause in report.causes]
        return report
    report = made(scenario, sweep, None)
    report.replay = token
    return report


# --- one scenario ----------------------------------------------------------------------------------------


def made(scenario: Scenario, sweep: Sweep, budget: float | None) -> StormReport:
    """Make one scenario; return what it has found, with its own axes and tokens."""
    if scenario.kind == "sweep":
        report = within(scenario, sweep, budget).sweep()
        if not report.axes:  # it fails in this world without any trigger
            report.axes = [AxisResult(axis="baseline", planned=1, ran=1, failing=1)]
        report.axes = [replace(axis, axis=f"{scenario.key}{MARK}{axis.axis}") for axis in report.axes]
        report.causes = [
            replace(
                cause,
                axis=f"{scenario.key}{MARK}{cause.axis}",
                token=f"{scenario.key}{MARK}{cause.token}",
            )
            for cause in report.causes
        ]
        if report.story is not None:
            report.story.token = f"{scenario.key}{MARK}{report.story.token}"
        return report
    began = now()
    seed = sweep.seeds[0]
    if scenario.kind == "soak":
        found = [soak(sweep.make, sweep.load, hours=HOURS, limits=sweep.limits, seed=seed, done=sweep.done)]
    else:
        found = list(cycled(sweep, seed))
    report = nothing_yet(sweep)
    report.runs, report.seconds = len(found), now() - began
    report.axes = [axis_of(scenario, [each.outcome for each in found])]
    causes = Causes()
    for outcome in (each.outcome for each in found):
        causes.note(outcome.violations, outcome.plan, lambda: scenario.key, axis=report.axes[0].axis)
    report.causes = causes.listed()
    return report


def within(scenario: Scenario, sweep: Sweep, budget: float | None) -> Sweep:
    """Return the sweep of a scenario in its world."""
    return Sweep(
        scenario.world.of(sweep.make),
        sweep.load if scenario.loaded else None,
        sweep.name,
        scenario.axes,
        sweep.seeds,
        sweep.limits,
        sweep.done,
        budget,
        sweep.progress,
    )


def cycled(sweep: Sweep, seed: int) -> Iterable[CycleReport]:
    """Yield what many lives show: undisturbed, and with a first one in which a dependency fails."""
    first = cycle(sweep.make, sweep.load, count=CYCLES, limits=sweep.limits, seed=seed, done=sweep.done)
    yield first
    for dependency in sorted(first.outcome.depended):
        yield cycle(
            sweep.make, sweep.load, count=3, crash=dependency, limits=sweep.limits, seed=seed, done=sweep.done
        )


# --- one report ------------------------------------------------------------------------------------------


def nothing_yet(sweep: Sweep) -> StormReport:
    """Return the report of a sweep that has made no run."""
    limits = sweep.limits
    return StormReport(
        name=sweep.name, seeds=tuple(sweep.seeds), deadline=limits.deadline, grace=limits.grace
    )


def axis_of(scenario: Scenario, outcomes: list[Outcome]) -> AxisResult:
    """Return what an axis of cycles shows."""
    failing = [any(v.scale == "violation" for v in outcome.violations) for outcome in outcomes]
    marks = {
        number: next((v.oracle for v in outcome.violations if v.scale == "violation"), ".")
        for number, outcome in enumerate(outcomes)
    }
    return AxisResult(
        axis=f"{scenario.key}{MARK}{scenario.name}",
        planned=len(outcomes),
        ran=len(outcomes),
        failing=sum(failing),
        marks=marks,
    )


def merge(report: StormReport, other: StormReport) -> None:
    """Put what one scenario has found into the report of all."""
    report.runs += other.runs
    report.axes += other.axes
    report.complete = report.complete and other.complete
    report.interrupted = report.interrupted or other.interrupted
    report.points = report.points or other.points  # where there is no plain sweep, those of the first world
    if other.deterministic is False and report.deterministic is not False:
        report.deterministic, report.divergence = False, other.divergence
    elif report.deterministic is None:
        report.deterministic = other.deterministic
    report.causes = joined([*report.causes, *other.causes])
    if report.story is None:
        report.story = other.story
