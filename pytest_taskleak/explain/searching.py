"""By which chain of objects is a thing held, looked for forwards from keepers and backwards from the thing?

Forwards is cheap whatever the size of the heap: a breadth-first walk in batches, bounded in objects,
depth and time.  Backwards asks `gc.get_referrers`, which compares every object of the heap, for all things
at once.  Both compare by identity and run no code of the user; the objects that they look at are let go
when they return.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pytest_taskleak.explain.entrances import Entrances, expand
from pytest_taskleak.explain.keepers import MODULE, Start, end_at, passes_by
from pytest_taskleak.timing import now

Chain = list[Any]

MOST_CHAINS = 2
"""Chains that are told of one thing."""
CHUNK = 128
LIGHT = 100
"""Items of a container that is entered with the others of its level; a bigger one waits for its turn."""
LEAST_OBJECTS = 4_000
"""Objects that a walk looks at before it asks the clock: a small program reads the same on a slow machine."""
MOST_OBJECTS = 20_000
MOST_DEPTH = 12


AT_ONCE = 12
"""Things that `gc.get_referrers` is asked for at once: its cost is that of the heap times their number."""
MOST_STEPS = 10
MOST_NODES = 3_000
MOST_REFERRERS = 300
"""Referrers of one thing, above which it is a thing that everybody has (a type, an interned value)."""


def chunks(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield the things in portions."""
    return (things[at : at + size] for at in range(0, len(things), size))


def walk(
    starts: Sequence[Start],
    wanted: dict[int, Any],
    seen: set[int],
    entrances: Entrances,
    *,
    needed: set[int],
    seconds: float,
) -> dict[int, list[tuple[Start, Chain]]]:
    """Return chains that lead from some keepers to what is wanted, the shortest only.

    Parameters:
        starts: the keepers; of two equally long ways the one from the earlier keeper is taken.
        wanted: what is looked for, by its id.
        seen: ids of objects that are not looked at; those that were are added.
        entrances: which objects are passed through.
        needed: ids of what is wanted most; once all that is found, the walk ends.
        seconds: time after which the walk is cut short.
    """
    by_id: dict[int, Start] = {}
    for start in starts:
        if id(start.thing) not in seen:
            by_id.setdefault(id(start.thing), start)
    found = {mark: [(start, [start.thing])] for mark, start in by_id.items() if mark in wanted}
    level = [
        start.thing
        for mark, start in by_id.items()
        if mark not in wanted and (start.rank == MODULE or entrances.weight(start.thing))
    ]
    seen.update(map(id, level))
    front = Front(wanted, seen, entrances, seconds)
    levels, size = [level], CHUNK
    for _ in range(MOST_DEPTH):
        following = front.beyond(levels[-1], size)
        for mark in front.hits - found.keys():
            chains = climb(levels, wanted[mark])
            found[mark] = [(by_id[id(chain[0])], chain) for chain in chains if id(chain[0]) in by_id]
        size = CHUNK
        if not following:
            following, size = front.big(), 1
        if not following or needed <= found.keys():
            break
        levels.append(following)
    return found


class Front:
    """How far a walk has come: what it meets, level by level, within its bounds.

    Parameters:
        wanted: see `walk`.
        seen: see `walk`.
        entrances: see `walk`.
        seconds: see `walk`.
    """

    __slots__ = ("entrances", "heavy", "hits", "least", "most", "seen", "until", "wanted")

    def __init__(self, wanted: dict[int, Any], seen: set[int], entrances: Entrances, seconds: float) -> None:
        self.wanted, self.seen, self.entrances = wanted, seen, entrances
        self.until = now() + seconds
        self.most, self.least = len(seen) + MOST_OBJECTS, len(seen) + LEAST_OBJECTS
        self.heavy: list[Any] = []
        self.hits: set[int] = set()

    def beyond(self, level: Sequence[Any], size: int) -> list[Any]:
        """Return what the objects of a level refer to that is new; nothing once a bound is reached."""
        following: list[Any] = []
        wanted, seen, weight_of, heavy = self.wanted, self.seen, self.entrances.weight, self.heavy
        for portion in chunks(level, size):
            for thing in expand(portion):
                mark = id(thing)
                if mark in wanted:
                    self.hits.add(mark)
                elif mark not in seen:
                    seen.add(mark)
                    weight = weight_of(thing)
                    if weight:
                        (following if weight <= LIGHT else heavy).append(thing)
            if len(seen) > self.most or (len(seen) > self.least and now() > self.until):
                heavy.clear()
                return []
        return following

    def big(self) -> list[Any]:
        """Return the big containers that have waited until now, the smaller ones first."""
        waiting, self.heavy = self.heavy, []
        return sorted(waiting, key=self.entrances.weight)


def climb(levels: Sequence[Sequence[Any]], target: Any) -> list[Chain]:
    """Return the chains that lead through the levels of a walk to what was found below the last one."""
    chains = [[holder, target] for holder in holders(levels[-1], target)]
    for chain in chains:
        # A big container waits for its turn, so what holds it may be more than one level up.
        for level in levels[-2::-1]:
            chain[:0] = holders(level, chain[0], 1)
    return chains


def holders(level: Sequence[Any], held: Any, most: int = MOST_CHAINS) -> list[Any]:
    """Return those of a level that refer to a thing."""
    found: list[Any] = []
    for chunk in chunks(level, CHUNK):
        if refers(chunk, held):
            found += [holder for holder in chunk if refers((holder,), held)]
            if len(found) >= most:
                break
    return found[:most]


def refers(things: Iterable[Any], held: Any) -> bool:
    """Tell whether one of the things refers to another itself."""
    return any(referent is held for referent in expand(things))


def search_back(
    targets: dict[int, Any], avoid: set[int], *, seconds: float
) -> dict[int, list[tuple[Start, Chain]]]:
    """Return chains from the nearest keepers to each target, found from the targets up.

    Parameters:
        targets: what is held, by its id.
        avoid: ids of objects that are not passed: the caller's containers, the targets' own parts.
        seconds: time after which the search is cut short.

    Ids only are kept beside one table of objects, or the search would find its own notes.
    """
    until = now() + seconds
    objects = dict(targets)
    below: dict[tuple[int, int], int] = {}
    found: dict[int, list[tuple[Start, Chain]]] = {}
    passed = avoid | {id(targets), id(objects)}
    frontier = {mark: {mark} for mark in targets}
    for _ in range(MOST_STEPS):
        level: dict[int, set[int]] = {}
        ends: list[tuple[int, int]] = []
        for marks in chunks(list(frontier), AT_ONCE):
            if now() > until or len(objects) > MOST_NODES:
                level.clear()
                break
            for holder, held in referring((objects[mark] for mark in marks), passed):
                mark = id(holder)
                origins = {o for h in held for o in frontier[h] if (mark, o) not in below} - {mark}
                if not origins or passes_by(holder):
                    continue
                objects[mark] = holder
                below.update({(mark, o): h for h in held for o in frontier[h] & origins})
                if end_at(holder) is not None:
                    ends += [(mark, origin) for origin in origins]
                else:
                    level.setdefault(mark, set()).update(origins)
        for mark, origin in ends:
            pair = ended(mark, origin, objects, below)
            if pair is not None:
                passed.add(id(pair[1]))
                found.setdefault(origin, []).append(pair)
        frontier = {mark: left for mark, origins in level.items() if (left := origins - found.keys())}
        if not frontier:
            break
    return {
        origin: sorted(pairs, key=lambda pair: pair[0].rank)[:MOST_CHAINS] for origin, pairs in found.items()
    }


def ended(
    mark: int, origin: int, objects: dict[int, Any], below: dict[tuple[int, int], int]
) -> tuple[Start, Chain] | None:
    """Return the keeper at the upper end of a chain, and the chain; `None` if it is none any more."""
    chain = [objects[mark]]
    while mark != origin:
        mark = below[mark, origin]
        chain.append(objects[mark])
    start = end_at(chain[0])
    if start is None:  # a module that was taken out of `sys.modules` meanwhile
        return None
    return start, [start.thing, *chain] if start.thing is not chain[0] else chain


def referring(things: Iterable[Any], passed: set[int]) -> Iterator[tuple[Any, list[int]]]:
    """Yield each referrer of some things with the ids of those that it refers to.

    Parameters:
        things: what is held.
        passed: ids of what is no referrer; our own containers are added.
    """
    asked = tuple(things)  # passed on as it is, so that its id is known
    found = gc.get_referrers(*asked)
    marks = {id(thing) for thing in asked}
    passed.update((id(asked), id(found)))
    if len(found) > MOST_REFERRERS * len(asked):
        return
    for holder in found:
        if id(holder) in passed:
            continue
        if len(marks) == 1:
            yield holder, list(marks)
        else:
            yield holder, [m for m in {id(x) for x in gc.get_referents(holder)} if m in marks]
