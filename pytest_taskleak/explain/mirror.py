"""What stands for the objects around a target, so that a drawing library may look at it?

Each object is mirrored by one of ours: its class bears the name of the object's type, and it maps the
steps to the mirrors of what the object refers to.  Looking at a mirror runs nobody's code.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from types import CodeType
from typing import Any

from pytest_taskleak.explain.anatomy import type_name
from pytest_taskleak.explain.keepers import end_at, passes_by
from pytest_taskleak.explain.owned import own_chain
from pytest_taskleak.explain.paths import step_at
from pytest_taskleak.explain.searching import referring
from pytest_taskleak.safely import module_name
from pytest_taskleak.timing import now

MOST_NODES = 150
MOST_STEPS = 8
SECONDS = 1.0


class Step:
    """The label of an arrow; drawing libraries show its `repr`."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


Step.__name__ = ""  # written above the text otherwise


class Mirror(dict[Step, Any]):
    """Stands for one object, and maps steps to mirrors.

    Parameters:
        label: what the object is called.
        target: it is one of those that are asked for.
    """

    __slots__ = ("label", "target")

    def __init__(self, label: str, *, target: bool) -> None:
        super().__init__()
        self.label = label
        self.target = target

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def mirrored(targets: Sequence[Any]) -> list[Mirror]:
    """Return mirrors of what leads to some targets, as far as a bounded search goes."""
    objects, edges = around(targets)
    mirrors = {mark: mirror_of(thing, targets) for mark, thing in objects.items()}
    for holder, held in edges:
        step = step_at([objects[holder], objects[held]], 0, short)
        mirrors[holder][Step(step.text)] = mirrors[held]
    return list(mirrors.values())


def around(targets: Sequence[Any]) -> tuple[dict[int, Any], list[tuple[int, int]]]:
    """Return the objects that lead to some targets by their ids, and who refers to whom."""
    until = now() + SECONDS
    objects = {id(target): target for target in targets}
    passed = {id(targets), id(objects), *(id(x) for target in targets for x in own_chain(target))}
    edges: list[tuple[int, int]] = []
    level = list(objects)
    for _ in range(MOST_STEPS):
        following: list[int] = []
        for mark in level:
            if now() > until or len(objects) > MOST_NODES:
                return objects, edges
            for holder, _held in referring((objects[mark],), passed):
                if passes_by(holder):
                    continue
                edges.append((id(holder), mark))
                if id(holder) not in objects:
                    objects[id(holder)] = holder
                    if end_at(holder) is None:
                        following.append(id(holder))
        level = following
    return objects, edges


def mirror_of(thing: Any, targets: Iterable[Any]) -> Mirror:
    """Return the mirror of one object, still without its references."""
    kind = type(thing)
    end = end_at(thing)
    label = "" if module_name(kind) == "builtins" else f"of {module_name(kind)}"
    label = label if end is None else end.text()
    name = type_name(kind if end is None else type(end.thing))
    made: type[Mirror] = type(name, (Mirror,), {"__slots__": ()})
    return made(label, target=any(thing is target for target in targets))


def tops(mirrors: Sequence[Mirror]) -> list[Mirror]:
    """Return mirrors from which all are reached: those that nobody refers to, then one of each circle."""
    held = {id(below) for mirror in mirrors for below in mirror.values()}
    found = [mirror for mirror in mirrors if id(mirror) not in held]
    reached: set[int] = set()
    for mirror in [*found, *mirrors]:
        if id(mirror) in reached:
            continue
        if id(mirror) in held:
            found.append(mirror)
        level = [mirror]
        while level:
            reached.update(map(id, level))
            level = [below for one in level for below in one.values() if id(below) not in reached]
    return found


def short(code: CodeType, line: int) -> str:
    """Return a place by the file's name only."""
    return f"{os.path.basename(code.co_filename)}:{line}"
