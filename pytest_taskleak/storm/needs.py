"""What does a scenario need of a service and its load, and is it there?

Known once the run without a trigger was made: whether clients have connections, and whether one of the
service's own tasks could stop it.
"""

from __future__ import annotations

from pytest_taskleak.storm.catalogue import CATALOGUE, Choice
from pytest_taskleak.storm.real_run import AXES as IN_REAL_TIME
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.sweep import Sweep, installed
from pytest_taskleak.storm.telling import listening
from pytest_taskleak.storm.verdicts import fails

WAY = "use shutdown_storm.asgi(app, ...), or env.server(), env.connect() and env.stream_pair() for sockets"
CONNECTION = f"no client of the load has a connection: {WAY}"
HELD = f"no client of the load has a connection to keep open: {WAY}, with a stream or a websocket"
CALL = "no task of the service calls a dependency (env.dep) before the end: the axis inside has 0 points"
STOP = "it is no service with start and stop, whose own task could call that: the axis inside has 0 points"
EVERYWHERE = f"{CALL}; by env.stop() it is stopped from inside in every run"
REAL = 'mode="real" has stop, cancel and stop2 alone'


def demand(choice: Choice, sweep: Sweep, held: Sweep | None) -> None:
    """Refuse what was asked for by name and is not there, before anything is swept.

    Parameters:
        choice: what was asked for.
        sweep: the plain one, not yet made.
        held: that of S22 in its world, if it was asked for.

    Raises:
        ValueError: no client has a connection.
    """
    for key, why, kind in (("S21", CONNECTION, sweep), ("S22", HELD, held)):
        if key in choice.named and kind is not None and lines(kind, kept=key == "S22") == 0:
            raise ValueError(f"scenario {title(key)} cannot be had: {why}")


def look(report: StormReport, sweep: Sweep) -> None:
    """Tell of axes that had no moment, and why; without a connection there is no axis of it.

    Parameters:
        report: of the sweep.
        sweep: was made.
    """
    bases = [base.outcome for base in sweep.baselines.values()]
    if not bases or any(fails(outcome.violations) for outcome in bases):
        return
    if "disconnect" in sweep.axes and not any(outcome.moments.lines for outcome in bases):
        report.left_out[title("S21")] = CONNECTION
        report.axes = [axis for axis in report.axes if axis.axis != "disconnect"]
    if "inside" in sweep.axes and not any(outcome.moments.calls for outcome in bases):
        asked = any(outcome.moments.inside for outcome in bases)
        stops = all(outcome.moments.stops for outcome in bases)
        report.left_out[title("S18")] = EVERYWHERE if asked else CALL if stops else STOP


def lines(sweep: Sweep, *, kept: bool) -> int:
    """Return how many connections of clients there are; -1 where that cannot be known, as the service fails.

    Parameters:
        sweep: not yet made; its run without a trigger is made here.
        kept: whether those count alone that are still open when the service is to stop.
    """
    with installed(sweep.primitives), listening(None):
        outcome = sweep.baseline(sweep.seeds[0]).outcome
    if fails(outcome.violations):
        return -1
    found = outcome.moments
    still = [line for line in found.lines if line.last < 0 or line.last >= outcome.points]
    return found.held + len(still) if kept else len(found.lines)


def real(choice: Choice) -> dict[str, str]:
    """Return what of a choice cannot be had in real time."""
    axes = [axis for axis in choice.axes if axis not in IN_REAL_TIME]
    names = [*axes, *(title(scenario.key) for scenario in choice.others)]
    return {**dict(choice.left_out), **dict.fromkeys(names, REAL)}


def title(key: str) -> str:
    """Return the key and the name of a scenario."""
    return f"{key} {CATALOGUE[key].name}"
