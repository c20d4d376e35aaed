"""How does a circle of waiting read as a story: who holds what, and waits for whom?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_taskleak.diagnosis import Edge, Graph, Node

MOST_MEMBERS = 6
"""Members of a circle that are told one by one."""
NAME = re.compile(r"`[^`]*`( #\d+)?")
COULD = {
    "put": "put into it", "put_nowait": "put into it", "send": "send into it", "send_nowait": "send into it",
    "get": "take from it", "get_nowait": "take from it", "task_done": "finish its items",
    "receive": "take from it", "set": "set it", "release": "release it", "notify": "notify it",
    "notify_all": "notify it", "set_result": "resolve it", "set_exception": "resolve it", "wait": "join it",
}  # fmt: skip
"""What a completing call does, for the calls that have a better word than their name."""


def stories(graph: Graph) -> list[list[str]]:
    """Return each circle of waiting as a story: who holds what and waits for whom."""
    return [story(graph, cycle) for cycle in graph.cycles if cycle]


def story(graph: Graph, cycle: Sequence[str]) -> list[str]:
    """Return the lines of one circle."""
    links = [link(graph, key, cycle[(n + 1) % len(cycle)]) for n, key in enumerate(cycle)]
    namer = Namer()
    members = [graph.node(key) for key in cycle]
    grant = links[-1][1]
    first = members[0].label
    if grant is not None and grant.label.startswith("held"):
        thing = graph.node(grant.source)
        first += f" holds {namer.name(thing)}{brackets('since', grant.where)}{also(graph, grant)} and"
    lines = [f"{first} {waits(graph, links[0], members, namer)}"]
    lines += [
        f"{led(graph, before, member)} {waits(graph, own, members, namer)}"
        for before, own, member in zip(links, links[1:], members[1:], strict=False)
    ]
    if len(lines) > MOST_MEMBERS:
        lines[MOST_MEMBERS - 1 : -1] = [f"... and {len(lines) - MOST_MEMBERS} more in the same way"]
    if grant is not None and not grant.label.startswith("held"):
        lines.append(f"only {members[0].label} could {completes(grant)}{at(grant.where)}")
    end = "so none of them can go on" if len(members) > 1 else "so it can never go on"
    return [*lines, f"... {end}"]


Link = tuple[Edge | None, Edge | None]
"""The edge by which a member waits, and the one from what it waits for to the next member.

The second is `None` where the member waits for the next one itself."""


def link(graph: Graph, source: str, target: str) -> Link:
    """Return the edges that lead from one member of a circle to the next."""
    for edge in graph.edges:
        if edge.source == source and edge.target == target:
            return edge, None
    for edge in graph.edges:
        if edge.source == source:
            for grant in graph.edges:
                if grant.source == edge.target and grant.target == target:
                    return edge, grant
    return None, None


class Namer:
    """Names things in full first, then by what the code calls them."""

    def __init__(self) -> None:
        self.sorts: set[str] = set()
        self.names: dict[str, str] = {}

    def name(self, node: Node) -> str:
        """Return the name of a thing: short once its sort is told and no other thing is called the same."""
        found = NAME.search(node.label)
        if found is None:
            return node.label
        short, sort = found.group(), node.label[: found.start()].strip()
        known = sort in self.sorts and self.names.get(short, node.key) == node.key
        self.sorts.add(sort)
        self.names.setdefault(short, node.key)
        return short if known else node.label


def waits(graph: Graph, link: Link, members: Sequence[Node], namer: Namer) -> str:
    """Return for what a member waits, and where."""
    wait, grant = link
    if wait is None:
        return "waits"
    verb = "joins" if wait.label == "joins" else "waits for"
    target = graph.node(wait.target)
    if target.key == wait.source:
        return f"{verb} itself{brackets('', wait.where)}"
    again = len(members) == 1 and grant is not None and grant.label.startswith("held")
    name = "it again" if again else namer.name(target)
    return f"{verb} {name}{brackets('', wait.where or graph.node(wait.source).where)}"


def led(graph: Graph, link: Link, member: Node) -> str:
    """Return how the member before leads to this one."""
    _, grant = link
    if grant is None:
        return f"{member.label}"
    if grant.label.startswith("held"):
        return f"held by {member.label}{word('since', grant.where)}{also(graph, grant)}, which"
    return f"only {member.label} could {completes(grant)}{at(grant.where)}, but it"


def also(graph: Graph, grant: Edge) -> str:
    """Return who else holds the same thing."""
    others = [
        e for e in graph.edges if e.source == grant.source and e.label == grant.label and e is not grant
    ]
    if not others:
        return ""
    if len(others) > 1:
        return f", as do {len(others)} others,"
    return f", as does {graph.node(others[0].target).label}{brackets('since', others[0].where)},"


def completes(grant: Edge) -> str:
    """Return the words for a completing call."""
    call = grant.label.removeprefix("needs ").removesuffix("()")
    return COULD.get(call, f"call {call}() on it")


def brackets(lead: str, where: str) -> str:
    """Return a place in brackets."""
    return f" ({lead} {where})".replace("( ", "(") if where else ""


def word(lead: str, where: str) -> str:
    """Return a place after a word."""
    return f" {lead} {where}" if where else ""


def at(where: str) -> str:
    """Return a place after a comma."""
    return f", at {where}" if where else ""
