"""Which tasks of a program can ever run again?  Read off the program, by the words of the claim.

A task runs again if what it awaits is completed.  A future, event, queue ... is completed by code that reaches
it; a task by itself.  Code runs from the anchors, from tasks that run, and from finalisers.  It reaches what is
held, and what is weakly held and alive.  From a task one reaches nothing: one can only cancel it.
This knows the graph because it was drawn; it counts no references, asks no collector and looks at no object.
"""

from __future__ import annotations

import sys
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import anchors
import holders
from programs import FUTURES, Program, Ref, Task

STRONG, WEAK, KEEPS, DOUBT = "strong", "weak", "keeps", "doubt"
"""Edges: reached by; reached by while alive; kept alive only; reached in one reading of the claim only."""

LIVE, TIMED, MOOT, STUCK = "live", "timed", "moot", "stuck"
"""A task runs on; only because a timer cancels something; only in one reading of the claim; never."""


@dataclass(slots=True)
class Truth:
    """What is so.

    Attributes:
        tasks: task -> LIVE, TIMED, MOOT or STUCK.
        held: tasks that something which lives holds, if by way of others, so that no collection destroys them.
    """

    tasks: dict[int, str] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)


def truth(program: Program) -> Truth:
    """Return what is so in a program that was built.

    Parameters:
        program: as `World` left it, so that it says what really was made.
    """
    graph = Graph(program)
    surely = graph.running(generous=False, cancels=False)
    timed = graph.running(generous=False, cancels=True)
    perhaps = graph.running(generous=True, cancels=True)
    found = Truth()
    for index in range(len(program.tasks)):
        found.tasks[index] = (
            LIVE if index in surely else TIMED if index in timed else MOOT if index in perhaps else STUCK
        )
    found.held = graph.held(surely)
    return found


class Graph:
    """A program as nodes and edges."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.edges: dict[Ref, list[tuple[Ref, str]]] = {}
        for index, prim in enumerate(program.prims):
            self._prim(("p", index), prim.kind, prim.targets)
        for index, holder in enumerate(program.holders):
            first = (
                WEAK if holder.kind in holders.WEAK else KEEPS if holder.kind in holders.SILENT else STRONG
            )
            self.edges["h", index] = [(ref, first) for ref in holder.targets]
            if holder.kind == "finalize":  # the registry holds it, not this holder
                self.edges["h", index] = []
            self.edges["h", index] += [(ref, STRONG) for ref in holder.later]
        for index, task in enumerate(program.tasks):
            self.edges["t", index] = self._task(task)
        for index, task in enumerate(program.tasks):
            for ref in task.on:  # what is awaited has a callback that holds the task
                self.edges[ref].append((("t", index), KEEPS))
        self.alive = self._alive()

    def _prim(self, node: Ref, kind: str, targets: list[Ref]) -> None:
        children = kind in FUTURES and kind != "future"
        self.edges[node] = [(ref, DOUBT if children else STRONG) for ref in targets]
        if children:  # the child's callback refers to it
            for ref in targets:
                if ref[0] == "p":
                    self.edges[ref].append((node, DOUBT))

    def _task(self, task: Task) -> list[tuple[Ref, str]]:
        """Return what a task reaches once it runs: its locals, its context, its done callbacks."""
        found = [(ref, DOUBT if task.thin else STRONG) for ref in task.on if task.wait != "group"]
        found += [(ref, KEEPS) for ref in task.on if task.wait == "group"]
        found += [(ref, STRONG) for ref in task.stuff]
        if task.context:
            found.append((task.context, STRONG))
        if task.callback:
            found.append((task.callback, STRONG))
        return found

    def _alive(self) -> set[Ref]:
        """Return what surely is alive: held by a task, an anchor or a container of the harness."""
        todo: list[Ref] = [("t", index) for index in range(len(self.program.tasks))]
        todo += [
            anchor.target
            for anchor in self.program.anchors
            if anchor.kind not in anchors.WEAK and anchor.kind != "none"
        ]
        todo += [("h", index) for index, one in enumerate(self.program.holders) if one.kind == "own"]
        return self._closure(todo)

    def _closure(self, todo: list[Ref], barred: AbstractSet[Ref] = frozenset()) -> set[Ref]:
        seen: set[Ref] = set()
        while todo:
            node = todo.pop()
            if node in seen or node in barred:
                continue
            seen.add(node)
            todo += [ref for ref, edge in self.edges[node] if edge != WEAK]
        return seen

    def _starts(self, *, generous: bool) -> list[Ref]:
        """Return what code reaches at once."""
        found = []
        for anchor in self.program.anchors:
            if anchor.kind in anchors.DEAD or anchor.kind in anchors.CANCELS:
                continue
            if anchor.kind not in anchors.WEAK or generous or anchor.target in self.alive:
                found.append(anchor.target)
        for index, holder in enumerate(self.program.holders):
            final = holder.kind in holders.FINAL and ("h", index) in self.alive
            if final or (generous and holder.kind in holders.FINAL | holders.DOUBTFUL):
                found += [*holder.targets, ("h", index)]
        return found

    def running(self, *, generous: bool, cancels: bool) -> set[int]:
        """Return the tasks that can run again.

        Parameters:
            generous: count everything in doubt as reached.
            cancels: count what timers cancel.
        """
        state = _State(self, generous=generous)
        for ref in self._starts(generous=generous):
            state.reach(ref)
        if cancels:
            for anchor in self.program.anchors:
                if anchor.kind in anchors.CANCELS:
                    state.cancel(anchor.target)
            for index, task in enumerate(self.program.tasks):
                if task.timeout or task.wait == "wait_for":
                    state.cancel(("t", index))
        changed = True
        while changed:
            changed = False
            for index, task in enumerate(self.program.tasks):
                if index not in state.live and state.wakes(task):
                    state.run(index)
                    changed = True
            for index, prim in enumerate(self.program.prims):
                if ("p", index) not in state.reached and state.done_by_children(prim.kind, prim.targets):
                    state.reach(("p", index))
                    changed = True
        return state.live

    def held(self, live: set[int]) -> set[int]:
        """Return the tasks that what lives holds.

        Parameters:
            live: the tasks that run.
        """
        weightless = anchors.DEAD | anchors.WEAK
        todo: list[Ref] = [anchor.target for anchor in self.program.anchors if anchor.kind not in weightless]
        for index, holder in enumerate(self.program.holders):
            if holder.kind == "finalize" and ("h", index) in self.alive:
                todo += holder.targets
        todo += [("t", index) for index in live]
        own = {("h", index) for index, holder in enumerate(self.program.holders) if holder.kind == "own"}
        return {index for letter, index in self._closure(todo, own) if letter == "t"}


class _State:
    """What was reached so far, and who runs."""

    def __init__(self, graph: Graph, *, generous: bool) -> None:
        self.graph = graph
        self.generous = generous
        self.reached: set[Ref] = set()
        self.live: set[int] = set()

    def reach(self, node: Ref) -> None:
        """Let code reach a thing, and all that one reaches from it."""
        todo = [node]
        while todo:
            one = todo.pop()
            if one in self.reached or one[0] == "t":
                continue
            self.reached.add(one)
            todo += self._next(one)

    def _next(self, node: Ref) -> list[Ref]:
        found = []
        for ref, edge in self.graph.edges[node]:
            weakly = edge == WEAK and (self.generous or ref in self.graph.alive)
            if edge == STRONG or weakly or (edge == DOUBT and self.generous):
                found.append(ref)
        return found

    def run(self, index: int) -> None:
        """Let a task run: its code reaches what it holds."""
        self.live.add(index)
        for ref in self._next(("t", index)):
            self.reach(ref)

    def cancel(self, node: Ref) -> None:
        """Cancel a task or a future, and what it awaits."""
        todo, seen = [node], set()
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            if one[0] == "p":
                self.reach(one)
                prim = self.graph.program.prims[one[1]]
                if prim.kind.startswith("gather"):
                    todo += prim.targets
            else:
                self.run(one[1])
                task = self.graph.program.tasks[one[1]]
                if task.wait not in ("shield", "wait_any", "wait_all"):
                    todo += [
                        ref
                        for ref in task.on
                        if ref[0] == "t" or self.graph.program.prims[ref[1]].kind in (*FUTURES, "wrapped")
                    ]

    def complete(self, ref: Ref) -> bool:
        """Tell whether a task ends or a future is completed."""
        return ref in self.reached if ref[0] == "p" else ref[1] in self.live

    def done_by_children(self, kind: str, children: list[Ref]) -> bool:
        """Tell whether gather() or shield() is done because its children are."""
        if kind == "gather_all" and not self.generous:
            return all(map(self.complete, children))
        return kind in ("gather", "gather_all", "shield") and any(map(self.complete, children))

    def wakes(self, task: Task) -> bool:
        """Tell whether what a task awaits can be completed."""
        if task.wait in ("sleep", "spin", "woken", "cancelled", "done"):
            return True
        if task.wait == "wait_for" and sys.version_info < (3, 12):
            return True  # the timer reaches the very future
        if task.wait in ("gather_all", "wait_all") and not self.generous:
            return all(map(self.complete, task.on))
        return any(map(self.complete, task.on))
