"""What is on a loop in the last moment at which it can be seen?

Runners cancel what is left in silence, and a closed loop forgets its timers.  What was pending then
is found here, written to its owner's scope, and told when that scope is judged.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.explaining import explain
from pytest_taskleak.engine.owner import BIRTH, OWNER, Scope
from pytest_taskleak.engine.reap import cancel_all
from pytest_taskleak.engine.settle import Leftover, settle
from pytest_taskleak.engine.verdicts import mark_stuck
from pytest_taskleak.model import Finding

Noted = tuple[Any, Scope, Finding]

CODES = {"cancel": {"task": "TL102"}, "close": {"task": "TL103", "timer": "TL202"}}


def loop_closing(loop: Any, event: str) -> bool:
    """Note what is left on a loop; return whether its tasks were cancelled here.

    Parameters:
        loop: the loop that is about to cancel everything, or to be closed.
        event: `cancel` or `close`.
    """
    watch = owner.watches[-1]
    if watch is None or not asyncio_.can_turn(loop):
        return False

    pending = asyncio_.tasks_of(loop)
    if not pending and (event == "cancel" or not asyncio_.has_timers(loop)):
        return event == "cancel"

    def live(tasks: Any = None) -> list[Leftover]:
        return [item for item in left_on(loop, event, watch, tasks) if counts(item)]

    noted: list[Noted] = []
    try:
        if live(pending):
            settle(live, watch.grant(watch.policy))
            noted = note(live(), event)
            pending = asyncio_.tasks_of(loop)
    except Exception:  # noqa: BLE001 -- a fault of the watcher must not keep a loop from closing
        watch.faults.append(f"TL901 a closing loop could not be judged:\n{traceback.format_exc()}")
        return False
    if event == "close":
        pending = [task for task in pending if is_told(task)]
    if not pending:
        return event == "cancel"
    known = all(is_told(task) and not any(task is t for t, *_ in noted) for task in pending)
    resisting = cancel_all(loop, pending, told=known)
    for task, scope, found in noted:
        if any(task is t for t in resisting) and found in scope.findings:
            scope.findings[scope.findings.index(found)] = mark_stuck(found)
    return event == "cancel"


def left_on(loop: Any, event: str, watch: Any, pending: Any = None) -> Iterable[Leftover]:
    """Yield the tasks of a loop, and before it closes its timers."""
    tasks = watch.detectors.get("task")
    if tasks is not None:
        for task in asyncio_.tasks_of(loop) if pending is None else pending:
            if tasks.alive(task):
                yield Leftover(tasks, task, getattr(task, BIRTH, None))
    timers = watch.detectors.get("timer")
    if timers is not None and event == "close":
        for handle in asyncio_.scheduled(loop):
            if timers.alive(handle) and timers.patience(handle) > watch.budget.left:
                yield Leftover(timers, handle, birth_in(handle))


def birth_in(handle: Any) -> Any:
    """Return the birth record of a timer, looked up in the scope that its context names."""
    scope = scope_in(handle)
    for entry in scope.births.get("timer", ()) if scope is not None else ():
        if entry() is handle:
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


def note(left: list[Leftover], event: str) -> list[Noted]:
    """Write down what is left, each under its owner; a closed owner is judged late."""
    noted: list[Noted] = []
    for scope in {id(s): s for s in map(scope_of, left)}.values():
        watch = scope.watch
        mine = [item for item in left if scope_of(item) is scope]
        for item, found in explain(mine, scope, watch.root, broken=watch.switch_off):
            code = CODES[event].get(item.detector.kind, found.code)
            resource = replace(found.resource, code=code)
            told = replace(found, resource=resource, advice=item.detector.advice(resource))
            with watch.lock:
                scope.findings.append(told)
            noted.append((item.thing, scope, told))
        for item in mine:
            watch.told.add(item.thing)
        if scope.closed and scope not in watch.late:
            watch.late.append(scope)
    return noted


def begin(watch: Any) -> None:
    """Start a watch that also sees what is cut off when a loop closes."""
    watch.start(loop_closing)
