"""Which threads wait for each other in a circle, and which loop waits for itself?

Where threads stand is evidence of one moment; what is found here is a deadlock by the stacks, never a proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType

from pytest_taskleak.adapt.code import line_of
from pytest_taskleak.adapt.standing import Standing
from pytest_taskleak.adapt.thread_stacks import thread_name
from pytest_taskleak.adapt.thread_waits import path_of

EVIDENCE = "deadlock (evidence: stacks)"
"""The word for it."""
_LABELS = {
    "join": "joins",
    "future": "waits for",
    "lock": "held by",
    "rlock": "held by",
    "semaphore": "held by",
}


def waits_on(standing: Standing) -> tuple[int, ...]:
    """Return the threads of which one must act before a thread can go on; none where that is not known.

    A wait with a timeout ends by itself, so it has none.
    """
    if standing.timed:
        return ()
    if standing.among:
        return standing.among
    return () if standing.holder is None else (standing.holder,)


def edges(standings: Mapping[int, Standing]) -> list[tuple[int, int, str]]:
    """Return (waiting thread, thread that could end the wait, label), in the order of the threads.

    Timed waits are among them: they tell who holds what, though they are no deadlock.
    """
    found = []
    for ident, standing in standings.items():
        targets = standing.among or (() if standing.holder is None else (standing.holder,))
        found += [(ident, target, _LABELS.get(standing.kind, "waits for")) for target in targets]
    return found


def cycles(standings: Mapping[int, Standing]) -> list[list[int]]:
    """Return the circles in which threads wait for each other, each in the order of waiting.

    A thread that waits for itself is a circle of one.  Where any of several threads could end a wait, all of
    them must be caught: a thread is caught if everyone who could let it go is caught (the greatest fixed
    point, as for the OR model in Knapp, "Deadlock detection in distributed databases", 1987).
    A circle begins with its oldest thread; circles share no thread.
    """
    targets = {ident: waits_on(standing) for ident, standing in standings.items()}
    caught = {ident for ident, others in targets.items() if others}
    while free := {ident for ident in caught if not caught.issuperset(targets[ident])}:
        caught -= free
    found: list[list[int]] = []
    told: set[int] = set()
    for ident in standings:
        if ident in caught and ident not in told:
            circle = _circle(ident, targets, told)
            told.update(circle)
            found += [circle] if circle else []
    return found


def _circle(start: int, targets: Mapping[int, tuple[int, ...]], told: set[int]) -> list[int]:
    """Return the shortest way from a thread back to itself, empty if there is none past those told."""
    ways = [[start]]
    seen: set[int] = set()
    for way in ways:
        for target in targets[way[-1]]:
            if target == start:
                return way
            if target not in seen and target not in told:
                seen.add(target)
                ways.append([*way, target])
    return []


def self_blocked(standings: Mapping[int, Standing]) -> list[int]:
    """Return the threads whose loop was handed something that they wait for, so it gets no turn."""
    return [i for i, s in standings.items() if s.calls_loop is not None and s.holder == i and not s.timed]


def story(cycle: list[int], standings: Mapping[int, Standing]) -> list[str]:
    """Tell a circle in one line for each thread: who waits where for what, and who has it."""
    lines = []
    for ident in cycle:
        standing = standings[ident]
        at = "" if not standing.frames else f" at {_place(*standing.frames[-1])}"
        held = f", {standing.detail}" if standing.detail else ""
        lines.append(f"{thread_name(ident)} waits{at} for {standing}{held}")
    return lines


def _place(code: CodeType, offset: int) -> str:
    return path_of(code, line_of(code, offset))
