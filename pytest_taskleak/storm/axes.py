"""Which runs does each axis ask for, and in which order do they find most?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from pytest_taskleak.storm.moments import NONE, Moments
from pytest_taskleak.storm.observing import Step
from pytest_taskleak.storm.plan import WITH_VICTIM, Plan

PAIR_STRIDE = 3
"""Of the points of the first cancel every third is taken, with every point of the second."""
MOST_SECOND = 400
"""Points after the first cancel at which the second one comes."""
HARNESS = ("root@", "stop-", "lifespan@")
"""How the labels of tasks begin that nobody cancels alone; `lifespan` is that of a server for an ASGI app."""

LOAD = "load@"
"""How those of the load's own task begin: where it stands still for ever, the harness would wait for it."""


def plans(
    axis: str,
    steps: Sequence[Step],
    points: int,
    depended: dict[str, int],
    seed: int,
    natural: int,
    moments: Moments = NONE,
) -> list[Plan]:
    """Return the runs of one axis, in the order of their points.

    Parameters:
        axis: one of `plan.AXES` or `plan.TRIALS`.
        steps: what the baseline did.
        points: how many points it has.
        depended: dependency -> calls in the baseline.
        seed: of all of them.
        natural: callbacks of the whole baseline, its stop included.
        moments: of the baseline, those that are no points.
    """
    if axis in WITH_VICTIM:
        return [
            Plan(axis, point, seed, victim=task, before=before)
            for point, task, before in victims(steps, points)
            if axis == "kill" or not (before or steps[point - 1].label.startswith(LOAD))
        ]
    if axis == "fault":
        return [
            Plan("fault", -1, seed, dependency=name, call=number, persistent=persistent)
            for name, calls in sorted(depended.items())
            for persistent in (False, True)
            for number in range(calls)
        ]
    if axis == "inside":
        return [Plan(axis, -1, seed, dependency=name, call=number) for name, number in moments.calls]
    if axis == "disconnect":
        return [
            Plan(axis, point, seed, dependency=way, call=number)
            for point, number, way in moments.leaving(points)
        ]
    if axis == "pair":
        drain = min(MOST_SECOND, max(0, natural - points) + PAIR_STRIDE)
        return [
            Plan("pair", point, seed, second=point + later)
            for point in range(0, points, PAIR_STRIDE)
            for later in range(1, drain + 1)
        ]
    return [Plan(axis, point, seed) for point in range(points)]


def victims(steps: Sequence[Step], points: int) -> Iterator[tuple[int, int, bool]]:
    """Yield each change of a task of the service or of a client: (point, task, whether its step comes next).

    A task is made, and waits anew after each step; it is woken, and has not run yet.
    """
    suspended: dict[int, int] = {}
    for number, step in enumerate(steps[:points]):
        if step.task <= 0 or step.label.startswith(HARNESS):
            continue
        if suspended.get(step.task) != number:
            yield number, step.task, True
        if step.lives:
            suspended[step.task] = number + 1
            yield number + 1, step.task, False


def ordered(runs: Sequence[Plan], steps: Sequence[Step], begun: int) -> list[Plan]:
    """Return runs in the order that finds most first; all of them.

    The start-up, where few look, points spread over the whole (van der Corput, in base 2), and points after
    steps of a kind that was not met before take turns.

    Parameters:
        runs: those of one axis, in the order of their points.
        steps: what the baseline did.
        begun: the number of the first point after the start.
    """
    first = [place for place, plan in enumerate(runs) if 0 <= plan.point < begun]
    seen: set[str] = set()
    novel = []
    for place, plan in enumerate(runs):
        label = steps[plan.point - 1].label if 0 < plan.point <= len(steps) else ""
        if label not in seen:
            seen.add(label)
            novel.append(place)
    taken: dict[int, None] = {}
    for turn in zip_longest(first, spread(len(runs)), novel):
        taken.update(dict.fromkeys(place for place in turn if place is not None))
    return [runs[place] for place in taken]


def spread(count: int) -> Iterator[int]:
    """Yield the numbers below `count`, each once, so that any first part is spread evenly."""
    bits = max(1, (count - 1).bit_length())
    for number in range(1 << bits):
        place = int(f"{number:0{bits}b}"[::-1], 2)
        if place < count:
            yield place
