"""What does a label say of causes, holders and graphs, and is it what was told?

The words of the header lines are told in ``README.md``. All values are globs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

CAUSES = frozenset(
    {
        "abandoned",
        "await-cycle",
        "barrier-short",
        "blocked-call",
        "busy-loop",
        "child-alive",
        "closed-without-waiting",
        "dropped-future",
        "event-never-set",
        "group-never-left",
        "lock-kept",
        "lock-order",
        "loop-waits-for-itself",
        "losers-left",
        "nested-permit",
        "never-fed",
        "group-open",
        "group-undrained",
        "never-drained",
        "never-started",
        "no-sentinel",
        "no-stop",
        "notify-missing",
        "peer-silent",
        "producer-died",
        "queue-full",
        "reentry",
        "swallowed-cancel",
        "task-done-missing",
        "thread-blocked",
        "thread-busy",
        "thread-join-cycle",
        "thread-lock-order",
        "thread-no-stop",
        "thread-reentry",
        "thread-timer",
        "timer-left",
        "timer-rearms",
        "wait-in-lock",
    }
)
FINALITIES = frozenset(
    {"stuck", "deadlock", "closed", "swallows", "spins", "outside", "wakeable", "ready", "unknown"}
)
OF_FINDING = ("waits", "row", "kept")
OF_GRAPHS = ("edge", "no-edge", "cycle", "no-cycle")
NOBODY = "nobody"
EDGE = re.compile(r"(?P<source>.+?) -> (?P<target>.+?)(?: \[(?P<label>[^\[\]]+)\])?")


class LabelError(ValueError):
    """The header of a case cannot be read."""


@dataclass(frozen=True)
class Told:
    """What the diagnosis of one finding must say; what is empty may be anything."""

    cause: str = ""
    finality: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.cause or self.finality or self.waits or self.rows or self.kept)


@dataclass(frozen=True)
class Drawn:
    """What the wait-for graphs of a run must show, and must not."""

    edges: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    acyclic: bool = False

    def __bool__(self) -> bool:
        return bool(self.edges or self.absent or self.cycles or self.acyclic)


# --- reading -----------------------------------------------------------------------------------------------------


def read_told(cause: str, finality: str, lines: Iterable[tuple[str, str]]) -> Told:
    """Read the two keys of an expected finding and the lines that follow it."""
    words = tuple(finality.split("|")) if finality else ()
    if unknown := set(cause.split("|") if cause else ()) - CAUSES:
        raise LabelError(
            f"no cause is called {', '.join(sorted(unknown))!r}; one of {', '.join(sorted(CAUSES))}"
        )
    if unknown := set(words) - FINALITIES:
        raise LabelError(
            f"no finality is called {', '.join(sorted(unknown))}; one of {', '.join(sorted(FINALITIES))}"
        )
    told = Told(cause=cause, finality=words)
    for key, value in lines:
        if not value:
            raise LabelError(f"nothing behind {key}:")
        if key == "waits":
            told = replace(told, waits=(*told.waits, value))
        elif key == "kept":
            told = replace(told, kept=(*told.kept, value))
        else:
            label, _, text = value.partition(" ")
            if not text:
                raise LabelError(f"a row needs a label and a glob: {value!r}")
            told = replace(told, rows=(*told.rows, (label, text.strip())))
    return told


def read_drawn(lines: Iterable[tuple[str, str]]) -> Drawn:
    """Read what a header says of the graphs."""
    of: dict[str, list[str]] = {key: [] for key in OF_GRAPHS}
    for key, value in lines:
        if key in of:
            of[key].append(value)
    for value in of["edge"] + of["no-edge"]:
        if EDGE.fullmatch(value) is None:
            raise LabelError(f"cannot read the edge {value!r}: SOURCE -> TARGET [LABEL]")
    cycles = tuple(tuple(part.strip() for part in value.split(",")) for value in of["cycle"])
    if not all(part for cycle in cycles for part in cycle):
        raise LabelError("a cycle without a name in it")
    if cycles and of["no-cycle"]:
        raise LabelError("a cycle and no cycle")
    return Drawn(tuple(of["edge"]), tuple(of["no-edge"]), cycles, bool(of["no-cycle"]))


# --- comparing ---------------------------------------------------------------------------------------------------


def matches(text: str, globs: str) -> bool:
    """Tell whether a text matches one of the globs, which ``|`` divides."""
    return any(fnmatchcase(text, glob) for glob in globs.split("|"))


def diagnosis_problems(told: Told, waits_for: str, diagnosis: Mapping[str, Any] | None) -> list[str]:
    """Compare what a finding says of its cause with its label."""
    problems = [f"waits for {waits_for!r}, not {glob}" for glob in told.waits if not matches(waits_for, glob)]
    if diagnosis is None:
        return [*problems, "no diagnosis"] if replace(told, waits=()) else problems
    if told.finality and diagnosis["finality"] not in told.finality:
        ends = f" ({diagnosis['ends']})" if diagnosis.get("ends") else ""
        problems.append(f"finality {diagnosis['finality']}{ends}, not {'|'.join(told.finality)}")
    if told.cause and diagnosis["cause"] not in told.cause.split("|"):
        problems.append(f"cause {diagnosis['cause'] or 'none'}, not {told.cause}")
    rows = [(label.replace(" ", "_"), text) for label, text in diagnosis["waits"]]
    for label, glob in told.rows:
        if not any(matches(found, label) and matches(text, glob) for found, text in rows):
            problems.append(f"no row {label} {glob} in {rows}")
    return problems + kept_problems(told.kept, diagnosis["kept"])


def kept_problems(wanted: Sequence[str], kept: Sequence[str]) -> list[str]:
    """Compare the chains of names that lead to a thing."""
    problems: list[str] = []
    for glob in wanted:
        if glob == NOBODY:
            if any(not text.startswith(NOBODY) for text in kept):
                problems.append(f"kept by {list(kept)}, not by nobody")
        elif not any(matches(text, glob) for text in kept):
            problems.append(f"kept by {list(kept)}, not by {glob}")
    return problems


def graph_problems(drawn: Drawn, graphs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Compare the wait-for graphs of a run with the label."""
    edges = [edge for graph in graphs for edge in edges_of(graph)]
    cycles = [cycle for graph in graphs for cycle in cycles_of(graph)]
    shown = "; ".join(f"{source} -> {target} [{label}]" for source, target, label in edges) or "none"
    problems = [f"no edge {text} in: {shown}" for text in drawn.edges if not has_edge(text, edges)]
    problems += [f"edge {text} in: {shown}" for text in drawn.absent if has_edge(text, edges)]
    problems += [
        f"no cycle {', '.join(wanted)} in {cycles}"
        for wanted in drawn.cycles
        if not any(same_cycle(wanted, cycle) for cycle in cycles)
    ]
    if drawn.acyclic and cycles:
        problems.append(f"cycles {cycles}, where there is none")
    return problems


def edges_of(graph: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    labels = {node["key"]: node["label"] for node in graph["nodes"]}
    return [(labels[edge["source"]], labels[edge["target"]], edge["label"]) for edge in graph["edges"]]


def cycles_of(graph: Mapping[str, Any]) -> list[list[str]]:
    labels = {node["key"]: node["label"] for node in graph["nodes"]}
    return [[labels[key] for key in cycle] for cycle in graph["cycles"]]


def has_edge(text: str, edges: Iterable[tuple[str, str, str]]) -> bool:
    match = EDGE.fullmatch(text)
    assert match is not None
    wanted = (match["source"], match["target"], match["label"] or "*")
    return any(all(map(matches, edge, wanted)) for edge in edges)


def same_cycle(wanted: Sequence[str], cycle: Sequence[str]) -> bool:
    """Tell whether a cycle is the wanted one, wherever it begins."""
    if len(wanted) != len(cycle):
        return False
    turns = ((*cycle[start:], *cycle[:start]) for start in range(len(cycle)))
    return any(all(map(matches, turn, wanted)) for turn in turns)
