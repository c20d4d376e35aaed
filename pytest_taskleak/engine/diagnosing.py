"""Why is a leak left, can it ever end, who keeps it, and what is to be changed?

Asked only of what is reported.  Plain strings come out, and nothing is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import asyncio_, evidence, waits
from pytest_taskleak.adapt.code import module_of
from pytest_taskleak.diagnosis import Diagnosis, Finality, Graph
from pytest_taskleak.engine.collecting import clean
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.explain import choosing, threads
from pytest_taskleak.explain.advice import keeper_of, words
from pytest_taskleak.explain.choosing import Chosen
from pytest_taskleak.explain.finality import NEVER, Outlook
from pytest_taskleak.explain.owned import is_entry, tells_itself
from pytest_taskleak.explain.proof import Proof, prove
from pytest_taskleak.explain.rows import rows_of
from pytest_taskleak.explain.scene import Scene
from pytest_taskleak.explain.waitgraph import build
from pytest_taskleak.model import Finding
from pytest_taskleak.safely import is_a

INSIDE = frozenset({"lock", "semaphore", "event", "condition", "barrier", "queue", "future", "memory-stream"})
"""Kinds of wait that only code of this process can end."""
LOST = ("exception", "coroutine")
"""Kinds of what was lost."""
MOST = 20
"""How many causes of one look are explained."""
Pair = tuple[Leftover, Finding]
CLOSED_UNDER = ("TL103",)
"""Codes of tasks whose loop is being closed just now."""


def diagnose(
    pairs: Sequence[Pair], watch: Any, *, full: bool = False, turned: bool = True
) -> tuple[dict[int, Finding], Graph]:
    """Return the findings with their diagnoses, by the identity of the leftover, and the wait-for graph.

    Of what was born on one line for one owner, which is told once, the first is explained.

    Parameters:
        pairs: what is reported.
        watch: the session of watching.
        full: find out more, at a higher price.
        turned: whether the loops were turned until nothing was ready any more.
    """
    look = Look(pairs, watch, full=full, turned=turned)
    firsts: dict[object, Pair] = {}
    for item, f in pairs:
        if f.kind in LOST:
            continue  # it is over: nobody waits, and nobody keeps it from ending
        firsts.setdefault((f.code, f.owner, f.birth, f.resource.what), (item, f))
    told = [*firsts.values()][:MOST]
    chains = look.kept([item for item, _ in told])
    found = {
        id(item): look.explained(item, finding, kept)
        for (item, finding), kept in zip(told, chains, strict=True)
    }
    if full and watch.folder:
        from pytest_taskleak.engine.drawing import drawn

        found |= drawn(told, found, watch.folder)
    return found, look.graph if look.graph.edges else Graph()


class Look:
    """One look at what is reported.

    Parameters:
        pairs: what is reported.
        watch: the session of watching.
        full: more chains, at a higher price.
        turned: see `diagnose`.
    """

    def __init__(self, pairs: Sequence[Pair], watch: Any, *, full: bool, turned: bool) -> None:
        self.watch = watch
        self.full = full
        self.items = [item for item, _ in pairs]
        self.findings = [finding for _, finding in pairs]
        owners = {id(x.birth[0]): x for x in self.items if x.birth}
        failed = {key for key, x in owners.items() if any(map(evidence.has_failed, siblings(x)))}
        self.failed = {id(x) for x in self.items if x.birth and id(x.birth[0]) in failed}
        self.collected = False
        self.woken: set[int] = set()
        tasks = tasks_among(self.items)
        others = pending_beside(tasks)
        own = [pairs, *pairs, self.items, *self.items, *(item.parts for item in self.items)]
        own += [part for item in self.items for part in item.parts]
        idents = [x.thing.ident for x in self.items if x.detector.kind == "thread" and x.thing.ident]
        own += watch.own()
        self.scene = Scene(tasks, others=others, threads=idents, own=own, root=watch.root, prover=self.prove)
        self.outlook = Outlook(self.scene, turned=turned, woken=self.woken)
        self.graph, self.keys = build(self.scene, self.outlook.finality)
        self.cycling = {key for cycle in self.graph.cycles for key in cycle}
        self.thread_cycles = threads.cycles(self.scene.threads)
        self.reached_by: dict[int, str] = {}
        self.leaves: dict[int, tuple[str, Chosen]] = {}
        self.died = {f.owner for f in self.findings if f.kind == "exception"} | watch.bereaved

    def prove(self, tasks: Sequence[Any], **options: Any) -> dict[int, Proof]:
        """Prove what can be proven; where only garbage may stand in the way, that is collected once.

        A circle of an exception, its traceback and a frame looks like somebody who holds what is awaited.
        """
        proofs = prove(tasks, **options)
        if self.collected or self.watch.collecting <= 0 or not any(is_doubtful(t, proofs) for t in tasks):
            return proofs
        self.collected, start = True, timing.now()
        clean(self.watch)
        self.watch.collecting -= timing.now() - start
        again = prove(tasks, **options)
        self.woken = {key for key, proof in again.items() if proof.verdict == "ready" != proofs[key].verdict}
        return again

    def kept(self, items: Sequence[Leftover]) -> list[tuple[str, ...]]:
        """Return the chains of names that lead to each of some leftovers."""
        from pytest_taskleak.explain.retention import kept_by

        modules = {module_of(code) for item in items if item.birth for code in item.birth[1][::2]}
        modules |= {f.resource.module for f in self.findings if f.resource.module}
        tasks = {id(item.thing): item.thing for item in items}
        awaited = self.within_reach(items)
        things = [*(item.thing for item in items), *awaited.values()]
        found: list[tuple[str, ...]] = kept_by(
            things,
            roots=self.watch.kept_values(),
            modules=sorted(modules),
            skip=[self, self.scene, self.items, *self.items, items, things, awaited],
            budget=self.watch.searching,
            short=self.scene.at,
        )
        for key, chains in zip(awaited, found[len(items) :], strict=True):
            others = [chain for chain in chains if not tells_itself(chain, tasks[key])]
            self.reached_by |= {key: others[0]} if others else {}
        return found[: len(items)] if self.full else [chains[:1] for chains in found[: len(items)]]

    def within_reach(self, items: Sequence[Leftover]) -> dict[int, Any]:
        """Return id of the task -> what it waits for, of those that something alive can still wake."""
        tasks = [x.thing for x in items if x.detector.kind == "task"]
        waits = {
            id(task): self.scene.wait(task).thing
            for task in tasks
            if self.outlook.finality(task) == "wakeable"
        }
        return {key: thing for key, thing in waits.items() if thing is not None}

    def explained(self, item: Leftover, finding: Finding, chains: tuple[str, ...]) -> Finding:
        """Return a finding with its diagnosis and the advice that fits it."""
        kind, thing = item.detector.kind, item.thing
        if kind == "task":
            diagnosis, chosen = self.task(item, finding)
        elif kind == "thread" and thing.ident in self.scene.threads:
            diagnosis, chosen = self.thread(thing.ident)
        elif kind == "timer":
            callback = asyncio_.handle_parts(thing)[0]
            chosen = Chosen("timer-rearms" if evidence.rearms(callback) else "timer-left")
            diagnosis = Diagnosis(finality="outside", ends="when it is due")
        else:
            diagnosis, chosen = Diagnosis(), Chosen()
        advice, why = words(chosen, finding, keeper_of(kind, thing))
        if id(thing) in self.leaves:
            name, inner = self.leaves[id(thing)]
            advice, reason = words(inner, finding)
            why = f"task {name!r} that it waits for cannot end: {reason}" if reason else why
        if kind in ("timer", "transport") and chains and is_entry(chains[0], kind):
            chains = ()  # of course
        if kind == "task" and not chains:
            chains = ("nobody",)
        elif kind == "task":
            advice = advice.replace("keep the task and end it: ", "end the task: ")
        if chosen.slug == "swallowed-cancel":
            diagnosis = replace(diagnosis, finality="swallows")
        diagnosis = replace(diagnosis, cause=chosen.slug, why=why, kept=chains)
        return replace(finding, diagnosis=diagnosis, advice=advice)

    def task(self, item: Leftover, finding: Finding) -> tuple[Diagnosis, Chosen]:
        """Diagnose a task."""
        task = item.thing
        finality, ends = self.outlook.of(task)
        if finding.resource.code in CLOSED_UNDER:
            finality, ends = "closed", NEVER["closed"]
        if id(task) in self.reached_by:
            ends = f"{ends}; what it waits for is reachable as {self.reached_by[id(task)]}"
        node = self.keys.get(id(task), "")
        chosen = choosing.of_task(
            self.scene,
            task,
            finality,
            birth=item.birth[1][::2] if item.birth else (),
            died=finding.owner in self.died or id(item) in self.failed,
            in_cycle=node in self.cycling,
        )
        if chosen.slug == "no-stop" and ends.startswith("in "):
            ends = f"not by itself: it works in a loop, and wakes {ends.partition(',')[0]}"
        if chosen.slug == "group-never-left":
            self.leaves[id(task)] = self.leaf(task, item, finding)
        rows = rows_of(self.scene, self.outlook, task)
        return Diagnosis(finality=finality, ends=ends, waits=rows, node=node), chosen

    def leaf(self, task: Any, item: Leftover, finding: Finding) -> tuple[str, Chosen]:
        """Return the name and the cause of the task at the end of a chain of tasks that cannot end."""
        seen: set[int] = set()
        while id(task) not in seen:
            seen.add(id(task))
            on = [x for x in self.scene.wait(task).on if is_a(x, asyncio.Task) and not x.done()]
            task = next((x for x in on if self.outlook.finality(x) in choosing.HOPELESS), task)
        node = self.keys.get(id(task), "")
        chosen = choosing.of_task(
            self.scene,
            task,
            self.outlook.finality(task),
            died=finding.owner in self.died or id(item) in self.failed,
            in_cycle=node in self.cycling,
        )
        return task.get_name(), chosen

    def thread(self, ident: int) -> tuple[Diagnosis, Chosen]:
        """Diagnose a thread; stacks are evidence, never a proof."""
        standing = self.scene.threads[ident]
        cycle = next((c for c in self.thread_cycles if ident in c), [])
        chosen = choosing.of_thread(standing, cycle=cycle, own=ident)
        finality: Finality = "unknown"
        ends = "not known: of what wakes a thread nothing can be proven"
        if cycle:
            finality, ends = "deadlock", "never, as far as the stacks of the threads show"
        elif standing.kind in choosing.BLOCKED or standing.detail.startswith("in system call"):
            finality, ends = "outside", choosing.returns(standing)
        elif standing.kind == "running":
            finality, ends = "spins", "when its own code ends"
        label, holder = standing.kind, standing.detail
        for lead in ("held by ", "owner: "):
            if holder.startswith(lead):
                label, holder = "held by", holder.removeprefix(lead)
        rows = ((label, holder),) if holder else ()
        return Diagnosis(finality=finality, ends=ends, waits=rows), chosen


def tasks_among(items: Sequence[Leftover]) -> list[Any]:
    """Return the tasks that are told of, with those that are told under others."""
    every = [x for item in items for x in (item, *item.parts)]
    return list(
        {id(x.thing): x.thing for x in every if x.detector.kind == "task" and not x.thing.done()}.values()
    )


def is_doubtful(task: Any, proofs: dict[int, Proof]) -> bool:
    """Tell whether a task waits for what somebody inside of the process would have to complete."""
    return proofs[id(task)].verdict == "live" and waits.wait_of(task).kind in INSIDE


def siblings(item: Leftover) -> list[Any]:
    """Return the tasks that were born for the same owner and are known to anybody still."""
    births = item.birth[0].births.get("task", ()) if item.birth else ()
    return [task for entry in tuple(births) if (task := entry()) is not None]


def pending_beside(tasks: Sequence[Any]) -> list[Any]:
    """Return the further pending tasks on the loops of some tasks, but those that run just now."""
    loops = {id(loop): loop for loop in map(asyncio_.loop_of, tasks)}
    told = set(map(id, tasks))
    running = asyncio_.running_task()
    return [
        task
        for loop in loops.values()
        for task in asyncio_.tasks_of(loop)
        if id(task) not in told and task is not running
    ]
