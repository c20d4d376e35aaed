"""How is a wait-for graph written for programs that draw: Mermaid, and the DOT language of Graphviz?

Labels come from the code under test, so they may hold any character; nodes are numbered, never named, in the
text.  What can never go on is marked by its class or colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_taskleak.diagnosis import Edge, Graph, Node

NEVER = ("stuck", "deadlock", "closed")
"""Finalities that are marked."""
SHAPES = {"task": ("([", "])"), "thread": ("[[", "]]")}
"""Mermaid's brackets: a stadium, a box with double sides; a plain box for what is waited for."""
BREAK = "<br/>"
ENTITIES = {
    "#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", '"': "#quot;",
    "`": "#96;", "|": "#124;", "\\": "#92;",
}  # fmt: skip
"""How Mermaid writes characters that mean something to it, or to the HTML that it makes."""


def mermaid(graphs: Iterable[Graph]) -> str:
    """Return the graphs as one flow chart in Mermaid, which pull requests and Markdown show as a drawing."""
    lines = ["graph LR"]
    marked: list[str] = []
    for graph, ids in numbered(graphs):
        never = hopeless(graph)
        for node in graph.nodes:
            left, right = SHAPES.get(node.kind, ("[", "]"))
            lines.append(f'  {ids[node.key]}{left}"{BREAK.join(map(entities, label(node)))}"{right}')
            marked += [ids[node.key]] if node.key in never else []
        for edge in graph.edges:
            text = BREAK.join(map(entities, words(edge)))
            lines.append(f'  {ids[edge.source]} -->|"{text}"| {ids[edge.target]}')
    if marked:
        lines.append("  classDef stuck fill:#fdd,stroke:#c00,color:#000")
        lines.append(f"  class {','.join(marked)} stuck")
    return "\n".join(lines) + "\n"


def dot(graphs: Iterable[Graph]) -> str:
    """Return the graphs as one `digraph`, a statement a line; Graphviz draws it, and many editors."""
    lines = ["digraph taskleak {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for graph, ids in numbered(graphs):
        never = hopeless(graph)
        for node in graph.nodes:
            style = [
                *(["rounded"] if node.kind in SHAPES else ()),
                *(["filled"] if node.key in never else ()),
            ]
            look = f', style="{",".join(style)}"' if style else ""
            look += ', fillcolor="#ffdddd", color="#cc0000"' if node.key in never else ""
            lines.append(f"  {ids[node.key]} [label={quoted(label(node))}{look}];")
        lines += [
            f"  {ids[edge.source]} -> {ids[edge.target]} [label={quoted(words(edge))}];"
            for edge in graph.edges
        ]
    return "\n".join([*lines, "}"]) + "\n"


def numbered(graphs: Iterable[Graph]) -> Iterator[tuple[Graph, dict[str, str]]]:
    """Yield each graph with safe names of its nodes, which no other graph has."""
    count = 0
    for graph in graphs:
        yield graph, {node.key: f"n{count + number}" for number, node in enumerate(graph.nodes)}
        count += len(graph.nodes)


def hopeless(graph: Graph) -> set[str]:
    """Return the keys of what can never go on, or waits in a circle."""
    circles = {key for cycle in graph.cycles for key in cycle}
    return circles | {node.key for node in graph.nodes if node.finality in NEVER}


def label(node: Node) -> tuple[str, ...]:
    """Return the lines that are written into a node."""
    return (node.label, node.where) if node.where else (node.label,)


def words(edge: Edge) -> tuple[str, ...]:
    """Return the lines that are written along an edge."""
    return (edge.label, edge.where) if edge.where else (edge.label,)


def entities(text: str) -> str:
    """Return a text for Mermaid, in one line."""
    return "".join(ENTITIES.get(letter, letter) for letter in " ".join(text.split()))


def quoted(lines: Iterable[str]) -> str:
    """Return lines as a quoted string of DOT."""
    escaped = (" ".join(line.split()).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
