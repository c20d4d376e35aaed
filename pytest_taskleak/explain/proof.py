"""Can a pending task ever run again, by itself?  A proof, or silence.

`stuck` claims: without a `cancel()`, none of these tasks can ever run again, because nothing outside
of them holds a reference - strong, weak, in Python or in C - from which what they await could be
completed.  Excluded by definition are introspection (`gc`, `all_tasks`, locals of tracebacks),
`cancel()`, the shutdown of the loop, and the finalization of such tasks by the collector.

Go's profile of leaked goroutines (GOLF, ASPLOS 2025) is the source of the fixpoint: what is live makes
what it reaches live, until nothing changes.  Where Go marks the whole heap, only what the tasks reach is
looked at here (`explain.reach`), so the cost does not depend on the size of the heap.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import sysconfig
import types
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_taskleak import timing
from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.explain.reach import Region
from pytest_taskleak.explain.seeds import callback_seeds, finalizer_seeds, weak_seeds
from pytest_taskleak.safely import is_a

Outcome = Literal["stuck", "live", "ready", "closed", "unknown"]

STEPS = (3_000, 30_000)
"""How many objects are looked at; the second step only for what the first could not prove."""
PATIENCE = 0.05
"""Seconds of the longer switch interval, where other threads run and the first look took too long."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one pending task.

    Parameters:
        verdict: `stuck` (proven), `live` (something can reach what it awaits), `ready` (it can run now),
            `closed` (its loop is), `unknown`.
        sealed: nobody holds the task itself either: the next collection destroys it.
        reason: why nothing is known.
        looked_at: how many objects were looked at.
    """

    verdict: Outcome
    sealed: bool = False
    reason: str = ""
    looked_at: int = 0


TOO_MANY = Proof("unknown", reason="it reaches too many objects")
"""What is left where a look was cut: what was not followed counts as alive."""


def prove(
    tasks: Sequence[Any],
    *,
    own: Sequence[Any] = (),
    awake: Collection[int] = (),
    steps: Sequence[int] = STEPS,
) -> dict[int, Proof]:
    """Judge all pending tasks at once; the key of a proof is the task's `id`.

    Parameters:
        tasks: all pending tasks of the loops in question, but those that run just now.
        own: containers of the watcher or of the harness that hold tasks or values of ended fixtures; their
            references do not count, and what else refers to these containers must not matter.
        awake: ids of tasks that are known to run again, as those that a timer will cancel.
        steps: how many objects are looked at, step by step.
    """
    proofs, waiting = sorted_out(tasks)
    if not waiting:
        return proofs
    refusal = refused()
    if refusal:
        return proofs | dict.fromkeys(map(id, waiting), Proof("unknown", reason=refusal))
    containers = list({id(container): container for container in (*own, tasks, waiting)}.values())
    for most in steps:
        found = undisturbed(waiting, containers, awake, most)
        if found is None:
            found = dict.fromkeys(map(id, waiting), Proof("unknown", reason="other threads kept running"))
        # A proof is final, however little was looked at.
        proofs |= {
            key: new for key, new in found.items() if key not in proofs or proofs[key].verdict != "stuck"
        }
        if all(proofs[key].verdict == "stuck" for key in found):
            break
        if all(0 < proof.looked_at < most for proof in found.values()):
            break  # everything was seen: a larger look shows no more
    else:
        proofs |= {key: TOO_MANY for key, proof in proofs.items() if proof.verdict == "live"}
    return proofs


def sorted_out(tasks: Sequence[Any]) -> tuple[dict[int, Proof], list[Any]]:
    """Return the proofs that need no look at the heap, and the tasks that really wait."""
    quick = {id(task): proof for task in tasks if (proof := at_once(task)) is not None}
    return quick, [task for task in tasks if id(task) not in quick]


def refused() -> str:
    """Return why no proof is possible in this interpreter, or an empty string."""
    if sys.implementation.name != "cpython":
        return "proofs need the reference counts of CPython"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "proofs need the GIL: counts of a free-threaded build are not exact"
    return ""


def at_once(task: Any) -> Proof | None:
    """Return what needs no look at the heap, `None` for a task that really waits."""
    if asyncio_.loop_of(task).is_closed():
        return Proof("closed")
    waiter = asyncio_.waiter_of(task)
    if waiter is None or asyncio_.must_cancel(task):
        return Proof("ready")
    if not is_a(waiter, asyncio.Future):
        return Proof("unknown", reason="it waits for a future that is not asyncio's")
    return Proof("ready") if waiter.done() else None


def undisturbed(
    waiting: Sequence[Any], own: Sequence[Any], awake: Collection[int], most: int
) -> dict[int, Proof] | None:
    """Judge while nobody else can run; return `None` where that could not be had.

    Whoever waits for the GIL asks for it after one switch interval.  So once it was given up and taken
    again, nobody else gets it for that long, and a look that was shorter was not disturbed.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        interval = sys.getswitchinterval()
        for longer in (interval, max(interval, PATIENCE)):
            sys.setswitchinterval(longer)
            try:
                timing.pause(0)
                start = timing.now()
                found = judge(waiting, own, awake, most)
                if timing.now() - start < longer or asyncio_.is_only_thread():
                    return found
            finally:
                sys.setswitchinterval(interval)
        return None
    finally:
        if collecting:
            gc.enable()


def judge(waiting: Sequence[Any], own: Sequence[Any], awake: Collection[int], most: int) -> dict[int, Proof]:
    """Judge tasks that wait for futures, looking at so many objects at most."""
    region = Region(waiting, own, most)
    count = len(region.things)
    if any(number < 0 and key not in region.neutral for key, number in region.outside.items()):
        unsure = Proof("unknown", reason="the reference counts do not add up", looked_at=count)
        return {id(task): unsure for task in waiting}
    stops = inner(waiting)
    marked: set[int] = set()
    live = {id(task) for task in waiting if id(task) in awake}
    roots = external(region, stops) + [x for t in waiting if id(t) in live for x in whole(t)]
    marked.update(map(id, roots))
    region.spread(roots, marked, stops)
    waken(region, waiting, marked, live)
    while True:
        seeds = weak_seeds(region, marked, stops) + finalizer_seeds(region, marked, stops)
        seeds += callback_seeds(region, marked)
        if not seeds:
            break
        marked.update(map(id, seeds))
        region.spread(seeds, marked, stops)
        waken(region, waiting, marked, live)
    kept = held(region, marked) if len(live) < len(waiting) else marked
    return {
        id(task): Proof(
            "live" if id(task) in live else "stuck",
            sealed=id(task) not in live and id(task) not in kept,
            looked_at=count,
        )
        for task in waiting
    }


def inner(waiting: Sequence[Any]) -> set[int]:
    """Return the ids of tasks and of their coroutines: who holds one cannot complete what it awaits by that.

    The frames that run a loop often hold the coroutine of a task: `asyncio.run(main())`.
    """
    return {id(x) for task in waiting for x in whole(task)}


def whole(task: Any) -> list[Any]:
    """Return a task and its coroutine, unless that is an object of a class of its own."""
    coro = asyncio_.coro_of(task)
    return [task, coro] if type(coro) in (types.CoroutineType, types.GeneratorType) else [task]


def held(region: Region, marked: set[int]) -> set[int]:
    """Return the ids of all that is kept alive from outside, if by way of a stuck task or of a frame."""
    start = [
        x for x in region.things if id(x) in marked or (region.outside[id(x)] and id(x) not in region.neutral)
    ]
    kept = set(map(id, start))
    region.spread(start, kept, (), frames=True)
    return kept


def external(region: Region, stops: set[int]) -> list[Any]:
    """Return what is referred to from outside and may lead to what a task awaits; a task itself does not."""
    outside, neutral = region.outside, region.neutral
    return [x for x in region.things if outside[id(x)] and id(x) not in stops and id(x) not in neutral]


def waken(region: Region, waiting: Sequence[Any], marked: set[int], live: set[int]) -> None:
    """Find the tasks that something live can wake, and what those can wake, until nothing changes."""
    stops = inner(waiting)
    changed = True
    while changed:
        changed = False
        for task in waiting:
            if id(task) not in live and can_wake(asyncio_.waiter_of(task), region, stops, marked, live):
                live.add(id(task))
                own = whole(task)
                marked.update(map(id, own))
                region.spread(own, marked, stops)
                changed = True


def can_wake(waiter: Any, region: Region, stops: set[int], marked: set[int], live: set[int]) -> bool:
    """Tell whether something live can complete what a task waits for.

    The result of a task comes from its own coroutine alone: `Task.set_result` raises.
    """
    key = id(waiter)
    if is_a(waiter, asyncio.Task):
        return key in live or key not in stops
    return key in marked or key not in region.members
