"""How does a wait-for graph read as a tree for the terminal?  Pure layout: a graph in, lines out.

The story of a circle and the drawings for other programs have files of their own, and are reached from here.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_taskleak.diagnosis import Edge, Graph, Node
from pytest_taskleak.report.drawing import dot, mermaid
from pytest_taskleak.report.story import stories

__all__ = ["dot", "mermaid", "stories", "tree"]

MOST_WAITERS = 5
MOST_DEPTH = 40
LIVING = ("task", "thread")
PENCIL = {False: ("├─ ", "└─ ", "│  ", "   "), True: ("|- ", "`- ", "|  ", "   ")}


def tree(graph: Graph, ascii: bool = False) -> list[str]:  # noqa: A002, FBT002 -- what a terminal may ask for
    """Return the graph as lines of a tree; each connected part begins at its left margin, circles first.

    Parameters:
        graph: who waits for what.
        ascii: draw with characters that each terminal has.
    """
    lines: list[str] = []
    grower = Tree(graph, ascii=ascii)
    for part in components(graph):
        for node in beginnings(graph, part):
            if node.key not in grower.shown:
                lines += grower.root(node)
    return lines


class Tree:
    """Grows the tree of one graph.

    Parameters:
        graph: who waits for what.
        ascii: see `tree`.
    """

    def __init__(self, graph: Graph, *, ascii: bool) -> None:  # noqa: A002 -- see `tree`
        self.nodes = {node.key: node for node in graph.nodes}
        self.out: dict[str, list[Edge]] = {}
        self.into: dict[str, list[Edge]] = {}
        for edge in graph.edges:
            self.out.setdefault(edge.source, []).append(edge)
            self.into.setdefault(edge.target, []).append(edge)
        self.pencil = PENCIL[ascii]
        self.shown: set[str] = set()

    def root(self, node: Node) -> list[str]:
        """Return the lines of a node and of all that it leads to."""
        self.shown.add(node.key)
        return [one_line(node), *self.below(node, (), "")]

    def below(self, node: Node, path: tuple[str, ...], margin: str) -> list[str]:
        """Return the lines under a node.

        Parameters:
            node: what is told already.
            path: the keys above it.
            margin: what stands to the left.
        """
        here = (*path, node.key)
        rows: list[tuple[str, Node | None]] = []
        if len(here) > MOST_DEPTH:
            return [f"{margin}{self.pencil[1]}..."] if node.key in self.out else []
        for edge in self.out.get(node.key, ()):
            target = self.nodes[edge.target]
            text = f"{arrow(edge)} {target.label}{place(edge, node)}"
            if target.key in here:
                rows.append((f"{text} (cycle: back to {target.label})", None))
            elif target.key in self.shown:
                rows.append((f"{text} (see above)" if self.out.get(target.key) else text, None))
            else:
                self.shown.add(target.key)
                rows.append((f"{text}{state(target, now=edge_told(edge, node))}", target))
        rows += [(text, None) for text in self.waiters(node, path)]
        return self.drawn(rows, here, margin)

    def drawn(self, rows: Sequence[tuple[str, Node | None]], here: tuple[str, ...], margin: str) -> list[str]:
        """Return rows with their branches, and what is below each of them."""
        branch, last, wall, gap = self.pencil
        lines: list[str] = []
        for number, (text, node) in enumerate(rows, 1):
            end = number == len(rows)
            lines.append(f"{margin}{last if end else branch}{text}")
            if node is not None:
                lines += self.below(node, here, margin + (gap if end else wall))
        return lines

    def waiters(self, node: Node, path: tuple[str, ...]) -> list[str]:
        """Return who waits for a primitive beside the one that led here."""
        if node.kind in LIVING:
            return []
        others = [edge.source for edge in self.into.get(node.key, ()) if edge.source not in path[-1:]]
        fresh = [key for key in dict.fromkeys(others) if key not in self.shown]
        told = fresh[: MOST_WAITERS - 1]
        self.shown.update(key for key in fresh if key in told or not self.into.get(key))
        more = len(fresh) - len(told)
        lines = [f"also awaited by {one_line(self.nodes[key])}" for key in told]
        return [*lines, f"... and {more} more"] if more else lines


def one_line(node: Node) -> str:
    """Return a node with its place and its finality."""
    return f"{node.label}{state(node, now=False)}"


def state(node: Node, *, now: bool) -> str:
    """Return the place and the finality of a node.

    Parameters:
        node: the node that is told.
        now: another place was told just before.
    """
    where = f"{', now' if now else ''} at {node.where}" if node.where else ""
    return f"{where} [{node.finality}]" if node.finality else where


def arrow(edge: Edge) -> str:
    """Return the words of an edge that lead to its target."""
    return f"{edge.label} by" if edge.label.startswith("needs ") else edge.label


def edge_told(edge: Edge, source: Node) -> bool:
    """Tell whether the place of an edge is told: where a task waits, its own line says already."""
    return bool(edge.where) and edge.where != source.where


def place(edge: Edge, source: Node) -> str:
    """Return the place of an edge."""
    if not edge_told(edge, source):
        return ""
    return f" {'since' if edge.label.startswith('held') else 'at'} {edge.where}"


def components(graph: Graph) -> list[list[Node]]:
    """Return the connected parts, those with a circle first."""
    near: dict[str, list[str]] = {node.key: [] for node in graph.nodes}
    for edge in graph.edges:
        near[edge.source].append(edge.target)
        near[edge.target].append(edge.source)
    parts: list[set[str]] = []
    for node in graph.nodes:
        if any(node.key in part for part in parts):
            continue
        part, level = {node.key}, [node.key]
        while level:
            level = list({key for at in level for key in near[at]} - part)
            part.update(level)
        parts.append(part)
    circles = {key for cycle in graph.cycles for key in cycle}
    parts.sort(key=circles.isdisjoint)
    return [[node for node in graph.nodes if node.key in part] for part in parts]


def beginnings(graph: Graph, part: Sequence[Node]) -> list[Node]:
    """Return the nodes of a part as trees begin at them: circles first, then who waits and is not awaited."""
    first = {key: number for number, key in enumerate(key for cycle in graph.cycles for key in cycle)}
    awaited = {edge.target for edge in graph.edges if edge.source != edge.target}
    return sorted(
        part, key=lambda node: (first.get(node.key, len(first)), node.key in awaited, node.kind not in LIVING)
    )
