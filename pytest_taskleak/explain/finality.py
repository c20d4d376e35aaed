"""Can a task ever end by itself, and what would end it?

What is proven comes first; then what the outside will do; then what holders of locks would have to do;
then what is merely still within reach.  Where nothing is known, that is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from pytest_taskleak.adapt import asyncio_, evidence
from pytest_taskleak.diagnosis import Finality
from pytest_taskleak.explain import timers
from pytest_taskleak.explain.scene import LOCKS, Scene
from pytest_taskleak.safely import is_a

OUTSIDE = {
    "sleep": "when its sleep is over",
    "stream": "when its peer sends, reads or closes",
    "socket": "when its peer sends, reads or closes",
    "process": "when the child process ends",
    "server": "when its server is closed",
    "executor": "when the call in a thread or process of the executor returns",
    "thread": "when the thread ends",
}
"""Kinds of wait that something outside of Python's objects ends, and when."""
NEVER = {
    "stuck": "never: nothing alive can wake it (proven)",
    "deadlock": "never, if locks are released only by those who took them",
    "closed": "never: its loop is closed",
    "spins": "never by itself: it runs again and again and waits for nothing",
}
ALIVE: tuple[Finality, ...] = (
    "ready",
    "spins",
    "wakeable",
    "unknown",
    "outside",
    "deadlock",
    "closed",
    "stuck",
)
"""What a task is that waits for several others: the first of these that one of them is."""

ITSELF: tuple[Finality, str] = "unknown", "not known: it waits for itself"
TOO_MANY: tuple[Finality, str] = "unknown", "not known: too many tasks wait for each other"
MOST_JUDGED = 500
"""How many tasks of one scene are judged; a chain of them may be of any length."""


class Outlook:
    """Judges the tasks of one scene.

    Parameters:
        scene: what is looked at; its proofs are taken as they are.
        turned: whether the loops were turned until nothing was ready any more, so that what is ready spins.
        woken: ids of tasks that were woken since.
    """

    def __init__(self, scene: Scene, *, turned: bool = False, woken: Collection[int] = ()) -> None:
        self.scene = scene
        self.turned = turned
        self.woken = woken
        self.known: dict[int, tuple[Finality, str]] = {}
        self.through: dict[int, list[Any]] = {}  # the tasks that a task waits for, where it is as these are
        self.by_timer: set[int] = set().union(*map(timers.reached, scene.loops()))
        self.cancelled_by = scene.cancelled or timers.cancelled(scene.tasks)
        self.locked = self._locked()

    def finality(self, task: Any) -> Finality:
        """Return the word for a task."""
        return self.of(task)[0]

    def of(self, task: Any) -> tuple[Finality, str]:
        """Return the word for a task, and the sentence."""
        path = [task]  # no recursion: chains of tasks may be longer than Python's stack is deep
        while path:
            key = id(path[-1])
            if key not in self.known:
                found = self._alone(path[-1]) if len(self.known) < MOST_JUDGED else TOO_MANY
                self.known[key] = found or ITSELF  # while those that it waits for are looked at
                if found is None:
                    children = self.through[key] = self._children(path[-1])
                    path += [child for child in children if id(child) not in self.known]
                    continue
            elif self.known[key] is ITSELF:
                self.known[key] = self._through(self.through[key])
            path.pop()
        return self.known[id(task)]

    def _children(self, task: Any) -> list[Any]:
        return [x for x in self.scene.wait(task).on if is_a(x, asyncio.Task) and not x.done()]

    def _alone(self, task: Any) -> tuple[Finality, str] | None:
        """Judge a task by itself; `None` if those that it waits for tell."""
        proof, wait = self.scene.proof(task), self.scene.wait(task)
        if proof.verdict == "closed":
            return "closed", NEVER["closed"]
        if proof.verdict == "ready":
            return self._ready(task)
        if id(task) in self.cancelled_by:
            return "outside", "when a timeout cancels it"
        if proof.verdict == "stuck":
            return "stuck", NEVER["stuck"]
        if wait.kind == "sleep" and wait.detail.endswith(" left"):
            return "outside", f"in {wait.detail.removesuffix(' left')}, {OUTSIDE['sleep']}"
        if wait.kind in OUTSIDE:
            return "outside", OUTSIDE[wait.kind]
        if id(wait.thing) in self.by_timer or id(asyncio_.waiter_of(task)) in self.by_timer:
            return "outside", "when a timer fires that leads to it"
        if id(task) in self.locked:
            return "deadlock", NEVER["deadlock"]
        if self._children(task):
            return None
        if proof.verdict == "unknown":
            return "unknown", f"not known: {proof.reason}"
        return "wakeable", "only if something that is alive wakes it"

    def _ready(self, task: Any) -> tuple[Finality, str]:
        if self.turned and id(task) not in self.woken and evidence.begun(task):
            return "spins", NEVER["spins"]
        return "ready", "as soon as its loop runs again"

    def _through(self, children: list[Any]) -> tuple[Finality, str]:
        """Judge a task by those that it waits for."""
        child = min(children, key=lambda child: ALIVE.index(self.known[id(child)][0]))
        word, text = self.known[id(child)]
        if id(child) in self.through or word == "unknown":
            return word, text  # the sentence names the task at the end of the chain already
        name = f"task {child.get_name()!r}"
        if word in ("stuck", "closed", "deadlock"):
            return word, f"never: {name} that it waits for cannot end either"
        return word, f"when {name} ends, which is {text}" if text.startswith("when") else f"as {name}: {text}"

    def _locked(self) -> set[int]:
        """Return the tasks that only holders could let go on, none of which can.

        The largest set in which each waits for a lock whose holders are all known, and are in the set or
        stuck; or for tasks that are.
        """
        scene = self.scene
        dead = {
            id(t) for t in scene.every if scene.proof(t).verdict == "stuck" and id(t) not in self.cancelled_by
        }
        locked = {
            id(t): t
            for t in scene.tasks
            if scene.proof(t).verdict in ("live", "unknown") and id(t) not in self.cancelled_by
        }
        changed = True
        while changed:
            changed = False
            for key, task in list(locked.items()):
                needs = self._needs(task)
                if needs is None or not all(id(x) in locked or id(x) in dead for x in needs):
                    del locked[key]
                    changed = True
        return set(locked)

    def _needs(self, task: Any) -> list[Any] | None:
        """Return the tasks that would have to go on before this one can; `None` if these are not all."""
        wait = self.scene.wait(task)
        if wait.kind in LOCKS and wait.thing is not None:
            holders, complete = self.scene.holders(wait.thing)
            return [holder for holder, _ in holders] if complete and holders else None
        children = [x for x in wait.on if is_a(x, asyncio.Future) and not x.done()]
        if wait.kind in ("task", "gather", "group") and children:
            return children if all(is_a(x, asyncio.Task) for x in children) else None
        return None
