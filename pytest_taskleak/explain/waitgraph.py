"""Who waits for whom: the wait-for graph over what is left, and its cycles.

Nodes are tasks, threads and primitives.  A cycle needs only edges without which nothing goes on: waits,
holders, and the calls without which a queue or an event stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from pytest_taskleak.adapt.thread_stacks import thread_name
from pytest_taskleak.diagnosis import Edge, Finality, Graph, Node
from pytest_taskleak.explain.scene import LOCKS, Scene
from pytest_taskleak.safely import is_a

MOST_NODES = 200
PRIMITIVES = (*LOCKS, "event", "condition", "barrier", "queue", "future", "memory-stream", "rlock")
TURN = "task", "thread"


class _Ident:
    """Stands for the thread of an ident in a graph: numbers have no identity of their own."""


class Builder:
    """Collects the nodes and edges of one graph."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.nodes: dict[int, Node] = {}
        self.edges: dict[tuple[str, str, str], Edge] = {}
        self.counts: dict[str, int] = {}
        self.idents: dict[int, _Ident] = {}
        self.timed: set[str] = set()

    def node(self, thing: Any, kind: str, label: str, where: str = "") -> str:
        """Return the key of a thing, which is added if it is new."""
        key = id(thing)
        if key not in self.nodes:
            letter = kind[0]
            self.counts[letter] = self.counts.get(letter, 0) + 1
            self.nodes[key] = Node(key=f"{letter}{self.counts[letter]}", kind=kind, label=label, where=where)
        return self.nodes[key].key

    def edge(self, source: str, target: str, label: str, where: str = "") -> None:
        """Add an edge, once."""
        self.edges.setdefault(
            (source, target, label), Edge(source=source, target=target, label=label, where=where)
        )

    def task(self, task: Any) -> str:
        """Return the key of a task."""
        wait = self.scene.wait(task)
        return self.node(task, "task", f"task {task.get_name()!r}", self.scene.at(wait.code, wait.line))

    def add(self, task: Any) -> None:
        """Add what a task waits for, and who holds or could complete that."""
        scene = self.scene
        source, wait = self.task(task), scene.wait(task)
        where = scene.at(wait.code, wait.line)
        for other in wait.on:
            if is_a(other, asyncio.Task) and not other.done():
                self.edge(source, self.task(other), "awaits", where)
        if wait.thing is None or wait.kind not in PRIMITIVES:
            return
        label = primitive(wait)
        target = self.node(wait.thing, wait.kind, label)
        self.edge(source, target, "waits for", where)
        if wait.kind in LOCKS:
            for holder, held in scene.holders(wait.thing)[0]:
                self.edge(target, self.task(holder), "held by", scene.at(held.code, held.line))
        for other, method, code, line in scene.completers(task, wait):
            self.edge(target, self.task(other), f"needs {method}()", scene.at(code, line))

    def thread(self, ident: int) -> str:
        """Return the key of a thread; it is known by its ident."""
        standing = self.scene.threads.get(ident)
        where = self.scene.at_offset(*standing.frames[-1]) if standing is not None and standing.frames else ""
        return self.node(self.idents.setdefault(ident, _Ident()), "thread", thread_name(ident), where)

    def add_thread(self, ident: int) -> None:
        """Add what a thread waits for, and who holds it."""
        standing = self.scene.threads[ident]
        source = self.thread(ident)
        if standing.timed:
            self.timed.add(source)
        where = self.scene.at_offset(*standing.frames[-1]) if standing.frames else ""
        holder = standing.holder
        if standing.kind == "join" and holder is not None:
            self.edge(source, self.thread(holder), "joins", where)
        elif standing.thing is not None and standing.kind in (*PRIMITIVES, "rlock"):
            label = primitive(standing)
            target = self.node(standing.thing, standing.kind, label)
            self.edge(source, target, "waits for", where)
            if holder is not None:
                at = self.scene.at_offset(*standing.held_at) if standing.held_at else ""
                self.edge(target, self.thread(holder), "held by", at)


def primitive(wait: Any) -> str:
    """Return how a primitive is called: its class as the field writes it, and its name in the code."""
    kind = "asyncio.Future" if wait.kind == "future" else wait.what.split("()")[0]
    if "." in kind:
        kind = kind.rpartition(".")[0] if wait.kind != "future" else kind
    return f"{kind} `{wait.name}`" if wait.name else kind


def build(scene: Scene, finality: Callable[[Any], Finality]) -> tuple[Graph, dict[int, str]]:
    """Return the graph over a scene, and the key of each task that is in it.

    Parameters:
        scene: what is looked at.
        finality: says of a task whether it can ever end.
    """
    builder = Builder(scene)
    for ident in scene.threads:
        builder.add_thread(ident)
    done: set[int] = set()
    queue = list(scene.tasks)
    while queue and len(builder.nodes) < MOST_NODES:
        task = queue.pop(0)
        if id(task) in done:
            continue
        done.add(id(task))
        before = set(builder.nodes)
        builder.add(task)
        queue += [
            x for x in scene.every if id(x) in builder.nodes and id(x) not in before and id(x) not in done
        ]
    tasks = {id(task): task for task in scene.every}
    nodes = [
        replace(node, finality=finality(tasks[key])) if key in tasks else node
        for key, node in builder.nodes.items()
    ]
    nodes = told_apart(nodes)
    edges = list(builder.edges.values())
    keys = {key: node.key for key, node in builder.nodes.items() if key in tasks}
    return Graph(nodes=tuple(nodes), edges=tuple(edges), cycles=cycles(nodes, edges, builder.timed)), keys


def told_apart(nodes: list[Node]) -> list[Node]:
    """Number primitives that code calls by one name, so that two of them are not taken for one."""
    labels = [node.label for node in nodes]
    seen: dict[str, int] = {}
    found = []
    for node in nodes:
        if node.kind not in TURN and labels.count(node.label) > 1:
            seen[node.label] = seen.get(node.label, 0) + 1
            node = replace(node, label=f"{node.label} #{seen[node.label]}")  # noqa: PLW2901 -- the same node, told apart
        found.append(node)
    return found


def cycles(nodes: list[Node], edges: list[Edge], timed: Collection[str] = ()) -> tuple[tuple[str, ...], ...]:
    """Return each cycle once, as the tasks and threads on it, in the order of waiting.

    Only cycles of what can never go on are told: a holder that lives will give back.

    Parameters:
        nodes: the nodes of the graph.
        edges: its edges.
        timed: keys of threads whose wait ends by itself.
    """
    hopeless = ("stuck", "deadlock", "closed")
    dead = {n.key for n in nodes if n.kind not in TURN or n.kind == "thread" or n.finality in hopeless}
    dead -= set(timed)
    turn = {n.key for n in nodes if n.kind in TURN}
    ahead: dict[str, list[str]] = {}
    for edge in edges:
        if edge.source in dead and edge.target in dead:
            ahead.setdefault(edge.source, []).append(edge.target)
    found: dict[frozenset[str], tuple[str, ...]] = {}
    covered: set[str] = set()
    for node in nodes:
        if node.key in turn and node.key not in covered:
            path = shortest(node.key, ahead)
            members = tuple(key for key in path if key in turn)
            if members:
                covered |= set(members)
                found.setdefault(frozenset(members), members)
    return tuple(found.values())


def shortest(start: str, ahead: dict[str, list[str]]) -> list[str]:
    """Return the shortest way from a node back to itself, the node first; empty if there is none."""
    came: dict[str, str] = {}
    level = [start]
    while level:
        following = []
        for key in level:
            for target in ahead.get(key, ()):
                if target == start:
                    path = [key]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    return path[::-1]
                if target not in came:
                    came[target] = key
                    following.append(target)
        level = following
    return []
