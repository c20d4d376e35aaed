"""Which plain values say why a thing is left, whether it can ever end, and who keeps it?

Like everything in `model`, they are frozen, made of builtins, and cross JSON and process borders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

Finality = Literal[
    "stuck", "deadlock", "closed", "swallows", "spins", "outside", "wakeable", "ready", "unknown"
]
"""Can it ever end by itself?

`stuck`: proven: without a `cancel()`, nothing alive can ever wake it.
`deadlock`: the same, if locks are released only by those who took them.
`closed`: its loop is closed and will never run it again.
`swallows`: it was cancelled and went on.
`spins`: it runs without ever waiting.
`outside`: something outside of Python's objects will wake it: a timer, a socket, a thread, a process.
`wakeable`: something alive can still reach what it waits for, and may wake it.
`ready`: it can go on as soon as its loop turns.
`unknown`: it cannot be told, and `ends` says why.
"""
FINALITIES: tuple[Finality, ...] = get_args(Finality)
PROVEN: tuple[Finality, ...] = ("stuck", "closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing of a wait-for graph.

    Parameters:
        key: what edges call it, as `t1`; the same thing has one key in one graph.
        kind: `task`, `thread`, or the sort of primitive: `lock`, `queue`, `event`, `future`, ...
        label: its name, as "task 'poller'" or "asyncio.Lock `dst`".
        where: `path:line` where it waits, for tasks and threads.
        finality: can it ever end, for tasks and threads.
    """

    key: str
    kind: str
    label: str
    where: str = ""
    finality: Finality | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Who waits for what, or who holds it.

    Parameters:
        source: the key of the waiting task or thread, or of the primitive.
        target: the key of what it waits for, or of who holds or could complete it.
        label: `awaits`, `waits for`, `held by`, `joins`, or `needs put()` (any completing call).
        where: `path:line` of the wait, of the acquisition or of the completing call.
    """

    source: str
    target: str
    label: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The wait-for graph over what is left.

    Parameters:
        nodes: in the order in which they are told.
        edges: in the same order.
        cycles: the keys of the tasks and threads of each cycle, in the order of waiting.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.nodes)

    def node(self, key: str) -> Node:
        """Return a node by its key.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.key == key:
                return node
        raise KeyError(key)

    def to_json(self) -> dict[str, Any]:
        """Return builtins only; `from_json` takes them back."""
        return {
            "nodes": [asdict(node) for node in self.nodes],
            "edges": [asdict(edge) for edge in self.edges],
            "cycles": [list(cycle) for cycle in self.cycles],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Graph:
        """Rebuild a graph that crossed a process border."""
        return cls(
            nodes=tuple(Node(**row) for row in data["nodes"]),
            edges=tuple(Edge(**row) for row in data["edges"]),
            cycles=tuple(tuple(cycle) for cycle in data["cycles"]),
        )


class Snapshot(NamedTuple):
    """What was seen of everything that waits at one moment.

    Parameters:
        lines: for the terminal.
        graph: who waits for whom.
        culprit: what the thread in question waits for, in a few words.
    """

    lines: list[str]
    graph: Graph
    culprit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Why a thing is left, whether it can ever end, and who keeps it.

    Parameters:
        finality: can it ever end by itself.
        ends: the same in a sentence: "never: nothing alive can wake it (proven)".
        waits: further lines on what it waits for, each with its label: who holds it, who could wake it.
        kept: chains of names that lead to it: `app.registry.POOL['main']._task`.
        cause: the class of the cause, as `lock-order`; empty where none fits.
        why: the cause in a sentence.
        node: its key in the graph of its verdict; empty where it is in none.
    """

    finality: Finality = "unknown"
    ends: str = ""
    waits: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    cause: str = ""
    why: str = ""
    node: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return builtins only; `from_json` takes them back."""
        return {**asdict(self), "waits": [list(row) for row in self.waits], "kept": list(self.kept)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Diagnosis:
        """Rebuild a diagnosis that crossed a process border."""
        plain = {key: data[key] for key in ("finality", "ends", "cause", "why", "node")}
        return cls(
            waits=tuple((label, text) for label, text in data["waits"]), kept=tuple(data["kept"]), **plain
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What became of the tasks that were cancelled because they were left.

    Parameters:
        cancelled: ended by the cancellation.
        completed: returned a value all the same.
        errors: raised something else.
        timed_out: needed longer than the bound, and were then asked again.
        stuck: never ended, and were abandoned.
    """

    cancelled: int = 0
    completed: int = 0
    errors: int = 0
    timed_out: int = 0
    stuck: int = 0

    def __bool__(self) -> bool:
        return bool(self.total)

    @property
    def total(self) -> int:
        """How many tasks were asked; one that timed out counts where it ended up."""
        return self.cancelled + self.completed + self.errors + self.stuck

    def __add__(self, other: Reaped) -> Reaped:
        return Reaped(
            cancelled=self.cancelled + other.cancelled,
            completed=self.completed + other.completed,
            errors=self.errors + other.errors,
            timed_out=self.timed_out + other.timed_out,
            stuck=self.stuck + other.stuck,
        )

    def __str__(self) -> str:
        words = (
            (self.cancelled, "cancelled"),
            (self.completed, "completed"),
            (self.errors, "errors"),
            (self.timed_out, "timed out"),
            (self.stuck, "stuck"),
        )
        return ", ".join(f"{count} {word}" for count, word in words if count) or "none"


NONE_REAPED = Reaped()
