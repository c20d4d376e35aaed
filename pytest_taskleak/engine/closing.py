"""What is on a loop in the last moment at which it can be seen?

Runners cancel what is left in silence, and a closed loop forgets its timers.  What was pending then
is found here, written to its owner's scope, and told when that scope is judged.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.spinning import noting
from pytest_taskleak.detectors.base import Ending
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.collecting import clean, collect
from pytest_taskleak.engine.concluding import diagnosed_early
from pytest_taskleak.engine.explaining import explain
from pytest_taskleak.engine.outcome import Outcome
from pytest_taskleak.engine.owner import OWNER, Scope
from pytest_taskleak.engine.reap import cancel_all, tasks_of
from pytest_taskleak.engine.settle import Leftover, settle
from pytest_taskleak.judge.memory import only_remembered
from pytest_taskleak.model import BIRTH, Finding

Noted = tuple[Leftover, Scope, Finding]


def loop_closing(loop: Any, ending: Ending) -> bool:
    """Note what is left on a loop; return whether its tasks were cancelled here.

    Parameters:
        loop: the loop that is about to cancel everything, or to be closed.
        ending: which of the two.
    """
    watch = owner.watches[-1]
    if not asyncio_.can_turn(loop):
        return False
    pending = asyncio_.tasks_of(loop)
    noted: list[Noted] = []
    try:
        own = pending and [task for task in pending if not anyio_.is_machinery(task)]
        if not own and not (ending == "close" and asyncio_.has_timers(loop)) and not tied_to(loop, ending):
            return ending == "cancel" and not pending  # the runner's own task is the runner's to cancel
        noted = judge(loop, ending, watch)
        pending = asyncio_.tasks_of(loop)
    except Exception:  # noqa: BLE001 -- a fault of the watcher must not keep a loop from closing
        watch.faults.append(f"TL901 a closing loop could not be judged:\n{traceback.format_exc()}")
        return False
    if ending == "close":
        pending = [task for task in pending if is_told(task)]
    if not pending:
        return ending == "cancel"
    known = all(is_told(task) and not any(task is item.thing for item, *_ in noted) for task in pending)
    try:
        mark(noted, cancel_all(loop, pending, told=known), watch)
    except Exception:  # noqa: BLE001 -- see above
        watch.faults.append(f"TL901 tasks could not be cancelled:\n{traceback.format_exc()}")
    return ending == "cancel"


def mark(noted: list[Noted], outcome: Outcome, watch: Any) -> None:
    """Write to findings what was seen when their tasks were cancelled, and count those."""
    for item, scope, found in noted:
        keys = {id(x.thing) for x in (item, *item.parts)}
        with watch.lock:
            scope.reaped += outcome.count(keys)
            told = outcome.told(item, found, watch.root)
            if told is not found and found in scope.findings:
                scope.findings[scope.findings.index(found)] = told


def judge(loop: Any, ending: Ending, watch: Any) -> list[Noted]:
    """Settle what is left on a loop, and write down what stays."""

    def live() -> list[Leftover]:
        return [item for item in left_on(loop, ending, watch) if counts(item)]

    left = live()
    if not left:
        return []
    tasks = tasks_of(left)
    del left
    with noting(tasks):
        settle(live, watch.grant(watch.policy), hopeless=watch.hopeless)
    del tasks
    collect(watch, live)
    left = live()
    return note([item for item in left if not is_forgotten(item, left)], ending)


def is_forgotten(item: Leftover, left: list[Leftover]) -> bool:
    """Tell whether only log records and dead frames lead to a thing, as `Claims.keep` asks of the others."""
    try:
        return bool(item.detector.idle(item.thing) and only_remembered(item.thing, (left,)))
    except Exception:  # noqa: BLE001 -- objects of the user can be odd; in doubt it stays
        return False


def left_on(loop: Any, ending: Ending, watch: Any) -> Iterable[Leftover]:
    """Yield what of each kind is on a loop that ends: what the loop knows, and what was born for it."""
    for detector in tuple(watch.of_loops):
        for thing in detector.on_loop(loop, ending):
            if detector.alive(thing) and not detector.passing(thing, watch.budget.left):
                yield Leftover(detector, thing, getattr(thing, BIRTH, None) or birth_in(detector.kind, thing))
    yield from tied_to(loop, ending)


def tied_to(loop: Any, ending: Ending) -> list[Leftover]:
    """Return what was born in an open scope, lives, and does not outlive its loop."""
    found = []
    for watch in owner.watches:
        for scope in watch.scopes() if watch.tying else ():
            for kind in tuple(scope.births) if scope.tied else ():
                if kind in watch.tied[ending]:
                    found += [x for x in living(watch, scope, kind) if x.detector.loop(x.thing) is loop]
    return found


def living(watch: Any, scope: Scope, kind: str) -> Iterable[Leftover]:
    """Yield what of a kind was born in a scope and lives."""
    detector = watch.detectors.get(kind)
    for entry in tuple(scope.births.get(kind, ())) if detector is not None else ():
        thing = entry()
        if thing is not None and detector.alive(thing):
            yield Leftover(detector, thing, entry.birth)


def birth_in(kind: str, thing: Any) -> Any:
    """Return the birth record of a thing, looked up in the scope that its context names."""
    scope = scope_in(thing)
    for entry in scope.births.get(kind, ()) if scope is not None else ():
        if entry() is thing:
            return entry.birth
    return None


def scope_in(thing: Any) -> Scope | None:
    """Return the scope that the context of a task or handle names."""
    context = asyncio_.context_of(thing)
    return None if context is None else context.get(OWNER)


def scope_of(item: Leftover) -> Scope:
    """Return whose a thing on a loop is."""
    scope = item.birth[0] if item.birth is not None else scope_in(item.thing)
    return scope if scope is not None and scope.watch.awake else owner.phase()


def counts(item: Leftover) -> bool:
    """Tell whether a thing on a loop is to be judged at all."""
    scope = scope_of(item)
    watch = scope.watch
    if scope.kind == "session" or watch is None:
        return False
    policy = watch.policy_of(scope)
    return policy.mode != "off" and item.detector.kind in policy.detect and item.thing not in watch.told


def is_told(task: Any) -> bool:
    """Tell whether a task was told as a leak already."""
    scope = scope_of(Leftover(None, task, getattr(task, BIRTH, None)))
    return scope.watch is not None and task in scope.watch.told


def note(left: list[Leftover], ending: Ending) -> list[Noted]:
    """Write down what is left, each under its owner; a closed owner is judged late."""
    noted: list[Noted] = []
    for scope in {id(s): s for s in map(scope_of, left)}.values():
        watch = scope.watch
        mine = [item for item in left if scope_of(item) is scope]
        pairs = [
            (item, as_ended(item, found, ending))
            for item, found in explain(mine, scope, watch.root, broken=watch.switch_off)
        ]
        pairs, graph = diagnosed_early(watch, scope, pairs)
        with watch.lock:
            scope.findings += [found for _, found in pairs]
            scope.graphs += (graph,) if graph else ()
        noted += [(item, scope, found) for item, found in pairs]
        for item in mine:
            watch.told.add(item.thing)
        if scope.closed and scope not in watch.late:
            watch.late.append(scope)
    return noted


def as_ended(item: Leftover, found: Finding, ending: Ending) -> Finding:
    """Return what is told of a thing whose loop ends."""
    resource = item.detector.ended(found.resource, ending)
    return replace(found, resource=resource, advice=item.detector.advice(resource))


def things_ending(kind: str, things: Iterable[Any], ending: Ending) -> None:
    """Note what is left of a kind on a loop of another library, just before that ends."""
    wanted = {id(thing) for thing in things}
    try:
        if judged(kind, wanted):  # nothing of it may be held here: the collector comes next
            clean(owner.watches[-1])
            left = judged(kind, wanted)
            note([item for item in left if not is_forgotten(item, left)], ending)
    except Exception:  # noqa: BLE001 -- a fault of the watcher must not keep a loop from ending
        fault = f"TL901 an ending loop could not be judged:\n{traceback.format_exc()}"
        owner.watches[-1].faults.append(fault)


def judged(kind: str, wanted: set[int]) -> list[Leftover]:
    """Return those of some things that are left and to be judged."""
    return [item for item in born(kind, wanted) if counts(item)]


def born(kind: str, wanted: set[int]) -> list[Leftover]:
    """Return those of some things, by identity, that live and were born in an open scope."""
    found = []
    for watch in owner.watches:
        for scope in watch.scopes():
            found += [item for item in living(watch, scope, kind) if id(item.thing) in wanted]
    return found


def begin(watch: Any) -> None:
    """Start a watch that also sees what is cut off when a loop closes."""
    watch.start(loop_closing, things_ending)
