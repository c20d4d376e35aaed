"""What can be reached from a few objects, and who outside of that refers to it?

The arithmetic of CPython's own cycle collector, on a small part of the heap: an object that has more
references than its neighbours inside the region account for is referred to from outside, by Python or
by C.  Whatever is not followed merely looks like the outside, so that every cut is on the safe side.

The collector's `subtract_refs` (Python/gc.c) is the source of the arithmetic.
"""

from __future__ import annotations

import asyncio
import builtins
import collections
import gc
import logging
import sys
import types
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from pytest_taskleak.safely import module_name

_count_elements: Any = getattr(collections, "_count_elements")  # noqa: B009 -- private, and in no stub
"""Counts in C.  `Counter` itself would ask abstract classes, which drops weak references meanwhile."""
CHUNK = 4_000
"""How many objects are asked for their referents at once."""
HUGE = 20_000
"""A container with more items is not followed: it is a hub of the program, and its items look external."""
IMMORTAL = 1 << 29
"""A reference count from which an object is immortal, so that its count says nothing (3.12 and later)."""

OPAQUE = (
    types.ModuleType,
    type,
    types.CodeType,
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    asyncio.AbstractEventLoop,
    logging.Logger,
    logging.Handler,
)
"""Not followed: hubs that reach the whole program.  (To follow a module crashes early CPython 3.12.)"""
HARNESS = ("pytest_taskleak", "_pytest", "pluggy")
"""Packages whose objects are not followed: they reach the whole session."""
SIZES: tuple[tuple[type, Callable[[Any], int]], ...] = tuple(
    (kind, kind.__len__) for kind in (dict, list, tuple, set, frozenset, deque)
)


class Gate:
    """Decides which objects are followed; remembers the decision for each type, for one look only."""

    def __init__(self) -> None:
        self._sizes: dict[int, Callable[[Any], int] | None] = {}  # by the type's id: it may not be hashable
        self._closed: set[int] = set()

    def __call__(self, things: Iterable[Any]) -> Iterator[Any]:
        """Yield those of some things that are followed."""
        closed, sizes = self._closed, self._sizes
        for thing in things:
            kind = type(thing)
            key = id(kind)
            if key in closed or (key not in sizes and not self._learn(kind)):
                continue
            size = sizes[key]
            if size is not None and (size(thing) > HUGE or (kind is dict and is_namespace(thing))):
                continue
            yield thing

    def _learn(self, kind: type) -> bool:
        if issubclass(kind, OPAQUE) or module_name(kind).partition(".")[0] in HARNESS:
            self._closed.add(id(kind))
            return False
        self._sizes[id(kind)] = next((size for base, size in SIZES if issubclass(kind, base)), None)
        return True


def is_namespace(names: dict[Any, Any], _builtins: int = id(builtins.__dict__)) -> bool:
    """Tell whether a dictionary holds the names of a module."""
    return "__builtins__" in names or id(names) == _builtins


class Region:
    """What some objects reach, and how often each of it is referred to from outside.

    Parameters:
        seeds: where to begin.
        own: containers of the watcher; their references do not count, and they lead nowhere.
        most: how many objects are looked at; the rest looks like the outside.

    Attributes:
        things: the objects, the seeds first.
        members: their ids.
        outside: id -> how many references come from outside; negative if the arithmetic went wrong.
        edges: how many references were counted.
    """

    def __init__(self, seeds: Sequence[Any], own: Sequence[Any], most: int) -> None:
        self.gate = Gate()
        self.neutral = {id(container) for container in own}
        self.things: list[Any] = []
        inside: dict[int, int] = {}
        self._follow(seeds, inside, most)
        self.members = set(map(id, self.things))
        for container in own:
            if id(container) not in self.members or not [*self.gate([container])]:
                _count_elements(inside, map(id, gc.get_referents(container)))
        self.edges = sum(inside.values())
        self.outside = self._rest(inside)

    def _follow(self, seeds: Sequence[Any], inside: dict[int, int], most: int) -> None:
        # Only `things` may hold the objects when this returns, or they would look external.
        things = self.things
        seen: set[int] = set()
        for seed in seeds:
            if id(seed) not in seen:
                seen.add(id(seed))
                things.append(seed)
        done = 0
        while done < len(things) and len(things) < most:
            batch = list(self.gate(things[done : done + CHUNK]))
            done = min(done + CHUNK, len(things))
            refs = gc.get_referents(*batch)
            _count_elements(inside, map(id, refs))
            fresh = dict(zip(map(id, refs), refs, strict=True))
            for key in fresh.keys() - seen:
                thing = fresh[key]
                if gc.is_tracked(thing):
                    things.append(thing)
            seen |= fresh.keys()

    def _rest(self, inside: dict[int, int]) -> dict[int, int]:
        things = self.things
        counts = list(map(sys.getrefcount, things))
        base = list(map(sys.getrefcount, [object()]))[0]  # noqa: RUF015 -- counted in the same way
        get = inside.get
        return {
            id(thing): 1 if count >= IMMORTAL else count - base - get(id(thing), 0)
            for thing, count in zip(things, counts, strict=True)
        }

    def spread(
        self, roots: Iterable[Any], marked: set[int], stops: Collection[int], *, frames: bool = False
    ) -> None:
        """Mark what some objects lead to.

        A frame does not lead on: only a finished one shows its locals, and that cannot run again.

        Parameters:
            roots: marked already.
            marked: the ids of what is marked; more is added.
            stops: ids of what is marked but does not lead on.
            frames: they lead on nevertheless: they keep their locals alive.
        """
        members, neutral = self.members, self.neutral
        level = list(roots)
        while level:
            leading = [
                x for x in level if (frames or type(x) is not types.FrameType) and id(x) not in neutral
            ]
            level = []
            for thing in gc.get_referents(*self.gate(leading)):
                key = id(thing)
                if key in members and key not in marked:
                    marked.add(key)
                    if key not in stops:
                        level.append(thing)
