"""Which class of cause does the evidence show?

The strongest evidence first: what the task did with its cancellation, whether it ever ran, which cycle it is
in, what it waits for and who is left to complete that; last the shape of its code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.adapt import evidence
from pytest_taskleak.adapt.standing import Standing
from pytest_taskleak.adapt.waits import Wait
from pytest_taskleak.diagnosis import Finality
from pytest_taskleak.explain.scene import LOCKS, Scene
from pytest_taskleak.safely import is_a

HOPELESS: tuple[Finality, ...] = ("stuck", "deadlock", "closed")
BY_KIND = {
    "executor": "blocked-call",
    "stream": "peer-silent",
    "socket": "peer-silent",
    "process": "child-alive",
    "condition": "notify-missing",
    "barrier": "barrier-short",
}
NOUNS = {"memory-stream": "stream"}
INTERVAL = "its interval of "
"""How the detail of a `threading.Timer` that waits begins."""
BLOCKED = ("socket", "sleep", "process")
"""Where a thread stands in a call that something outside ends."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A class of cause, and the words that its sentences take.

    Parameters:
        slug: the key in `causes.CAUSES`, or empty.
        name: what the code calls the primitive.
        race: what has its result already, for `losers-left`.
        kind: the sort of primitive.
        named: whether code has a name for it.
    """

    slug: str = ""
    name: str = ""
    race: str = ""
    kind: str = ""
    named: bool = True


def of_task(
    scene: Scene,
    task: Any,
    finality: Finality,
    *,
    birth: Collection[Any] = (),
    died: bool = False,
    in_cycle: bool = False,
) -> Chosen:
    """Choose for a task.

    Parameters:
        scene: what is looked at.
        task: the task.
        finality: can it ever end.
        birth: the code objects of the lines that made it, the nearest first.
        died: whether another task of the same owner ended with an exception.
        in_cycle: whether it is on a cycle of the wait-for graph.
    """
    wait = scene.wait(task)
    name = wait.name or NOUNS.get(wait.kind, wait.kind)
    slug = fate(task, wait, finality) or at_primitive(
        scene, task, wait, finality, died=died, in_cycle=in_cycle
    )
    if slug and slug not in ("peer-silent", "child-alive", "group-never-left"):
        return Chosen(slug, name, kind=wait.kind, named=bool(wait.name))
    race = evidence.lost_race(task, birth)
    if race:
        return Chosen("losers-left", name, race)
    if slug:
        return Chosen(slug, name)
    group = evidence.group_of(task)
    if group is not None:
        return Chosen("group-open" if evidence.has_block(group) else "group-undrained", name)
    return Chosen("no-stop" if evidence.in_loop(task, wait.code) else "abandoned", name)


def fate(task: Any, wait: Wait, finality: Finality) -> str:
    """Return the class that the life of a task shows, whatever it waits for."""
    if finality == "swallows":
        return "swallowed-cancel"
    if wait.kind == "unstarted" or not evidence.begun(task):
        return "never-started"
    if finality == "spins":
        return "busy-loop"
    if evidence.cancellations(task):
        return "closed-without-waiting" if evidence.cleans_up(task) else "swallowed-cancel"
    return ""


def at_primitive(
    scene: Scene, task: Any, wait: Wait, finality: Finality, *, died: bool, in_cycle: bool
) -> str:
    """Return the class that the awaited primitive shows, and who is left of those who could complete it."""
    if wait.kind in LOCKS:
        return at_lock(scene, task, wait, in_cycle=in_cycle)
    if wait.kind in ("queue", "memory-stream"):
        return at_queue(scene, task, wait, finality, died=died)
    if wait.kind in BY_KIND:
        return BY_KIND[wait.kind]
    waits_for_tasks = any(is_a(x, asyncio.Task) for x in wait.on)
    if waits_for_tasks:
        if in_cycle and wait.kind == "task":
            return "await-cycle"
        return "group-never-left" if finality in HOPELESS else ""
    if wait.kind == "event" and holds_what_helpers_need(scene, task, wait):
        return "wait-in-lock"
    if wait.kind == "event":
        return "event-never-set" if finality in (*HOPELESS, "wakeable") else ""
    if wait.kind == "future":
        return "dropped-future" if finality in HOPELESS else ""
    return ""


def at_lock(scene: Scene, task: Any, wait: Wait, *, in_cycle: bool) -> str:
    """Return the class for a wait for a lock or permits."""
    holders, _ = scene.holders(wait.thing) if wait.thing is not None else ([], False)
    mine = any(holder is task for holder, _ in holders)
    if wait.kind == "lock":
        if mine:
            return "reentry"
        return "lock-order" if in_cycle and holds_lock(scene, holders) else "lock-kept"
    waiting = [h for h, _ in holders if scene.wait(h).thing is wait.thing]
    return "nested-permit" if holders and len(waiting) == len(holders) else "lock-kept"


def holds_lock(scene: Scene, holders: list[tuple[Any, Any]]) -> bool:
    """Tell whether the holders wait for locks themselves."""
    return any(scene.wait(holder).kind in LOCKS for holder, _ in holders)


def at_queue(scene: Scene, task: Any, wait: Wait, finality: Finality, *, died: bool) -> str:
    """Return the class for a wait at a queue or a stream of objects."""
    if "put" in wait.what or "send()" in wait.what:
        return "queue-full"
    if "join" in wait.what:
        return "never-drained" if evidence.holds_items(wait.thing) else "task-done-missing"
    if holds_what_helpers_need(scene, task, wait):
        return "wait-in-lock"
    if (died or evidence.failed_beside(task)) and finality in (*HOPELESS, "wakeable"):
        return "producer-died"
    return "no-sentinel" if evidence.in_loop(task, wait.code) else "never-fed"


def holds_what_helpers_need(scene: Scene, task: Any, wait: Wait) -> bool:
    """Tell whether a task holds a lock for which somebody waits who could end its own wait."""
    for other, *_ in scene.completers(task, wait):
        theirs = scene.wait(other)
        if theirs.kind in LOCKS and theirs.thing is not None:
            holders, _ = scene.holders(theirs.thing)
            if any(holder is task for holder, _ in holders):
                return True
    return False


def of_thread(standing: Standing, *, cycle: Collection[int] = (), own: int = 0) -> Chosen:
    """Choose for a thread.

    Parameters:
        standing: where it stands.
        cycle: the idents on its cycle, if it is on one.
        own: its ident.
    """
    name = standing.name or standing.kind
    if cycle:
        if standing.holder == own or tuple(cycle) == (own,):
            return Chosen("thread-reentry", name)
        return Chosen("thread-join-cycle" if standing.kind == "join" else "thread-lock-order", name)
    if standing.detail.startswith(INTERVAL):
        return Chosen("thread-timer", name)
    if standing.kind in BLOCKED or standing.detail.startswith("in system call"):
        return Chosen("thread-blocked", name)
    slug = "thread-busy" if standing.kind == "running" else "thread-no-stop"
    return Chosen(slug, name, kind=standing.kind)


def returns(standing: Standing) -> str:
    """Say when a thread ends that stands in a call which something outside ends."""
    if standing.detail.startswith(INTERVAL):
        return f"when {standing.detail} is over, and what it calls then has returned"
    return "when the call that it is in returns"
