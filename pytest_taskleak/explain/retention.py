"""Who holds it: by which names is a leaked task, timer or thread reached from what lives on?

Asked only of what is reported, within a budget of seconds for the whole session.  First the places are
searched that the user knows (fixtures, the modules of the births, running frames, live tasks), forwards,
which costs the same on any heap; then, for what nobody there holds, the heap backwards, once for all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain as joined
from typing import Any, TextIO

from pytest_taskleak.adapt.code import LIBRARY, USER
from pytest_taskleak.explain.entrances import Entrances
from pytest_taskleak.explain.keepers import (
    FIXTURE,
    LOOP,
    TASK,
    TRANSPORT,
    Start,
    fixed,
    loops_of,
    modules_of,
    of_frames,
    of_handles,
    of_modules,
    of_task,
    of_tasks,
)
from pytest_taskleak.explain.mirror import Mirror, mirrored, tops
from pytest_taskleak.explain.owned import awaits, is_helper, others, own_chain, own_parts, own_records
from pytest_taskleak.explain.paths import Short, containers_off, parts
from pytest_taskleak.explain.searching import MOST_CHAINS, Chain, search_back, walk
from pytest_taskleak.safely import is_a
from pytest_taskleak.timing import now

SECONDS = 2.0
SECONDS_PER_CAUSE = 0.5
WALK_SECONDS = 0.002
"""Time of one walk, for a cause that is reported alone; for several at once `MOST_AT_ONCE` times that."""
MOST_AT_ONCE = 5
MOST_BETWEEN = 30
"""Targets of which is asked whether one holds another."""
UNKNOWN = "unknown: the search for it failed"
ONLY_WAIT = "only what it waits for: "
CALLBACK = "a callback"
AWAITS = ("what it awaits", "inside a")

Found = dict[int, list[tuple[Start, Chain]]]


@dataclass(slots=True)
class Budget:
    """The time that a session may spend on the search for holders.

    Parameters:
        seconds: what is left for the session.
        per_cause: seconds that one search backwards may take.
    """

    seconds: float = SECONDS
    per_cause: float = SECONDS_PER_CAUSE
    whole: float = field(init=False)
    told: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.whole = self.seconds

    @property
    def spent(self) -> bool:
        """Nothing is left."""
        return self.seconds <= 0

    def answer(self) -> tuple[str, ...]:
        """Return what stands instead of a chain: with its reason the first time."""
        first, self.told = not self.told, True
        return (
            (f"not searched: the budget of {self.whole:g} s for this session is spent",)
            if first
            else ("not searched",)
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of a block."""
        began = now()
        try:
            yield
        finally:
            self.seconds -= now() - began


def kept_by(
    targets: Sequence[Any],
    *,
    roots: Sequence[tuple[str, Any]] = (),
    modules: Iterable[str] = (),
    skip: Sequence[Any] = (),
    budget: Budget,
    short: Short,
) -> list[tuple[str, ...]]:
    """Return for each target the chains of names that lead to it, at most two, the shortest first.

    An empty tuple means: nobody.  That a task is held by its own coroutine is no answer; that it is held by
    what it waits for is one only if there is no other.

    Parameters:
        targets: what is left: tasks, handles, threads, or anything else.
        roots: named live objects, as `("fixture 'broker' (session)", value)`.
        modules: names of modules to look in first: those of the births and of the test files.
        skip: containers and records of the caller.  Where they and `targets` are all that holds a target, and
            no local variable does, the heap need not be searched to know that nobody does.
        budget: the time that is left for the session.
        short: how the place of a frame reads.
    """
    if budget.spent:
        return [budget.answer() for _ in targets]
    with budget.running():
        try:
            look = Look(targets, skip, roots, short)
            look.search(roots, list(modules), budget)
            return [look.told(mark) for mark in look.order]
        except Exception:  # noqa: BLE001 -- an object that defies every rule costs one line of the report
            return [(UNKNOWN,) for _ in targets]


class Look:
    """One search for the holders of some targets; dropped when they are told.

    Parameters:
        targets: see `kept_by`.
        skip: see `kept_by`.
        roots: see `kept_by`.
        short: see `kept_by`.
    """

    __slots__ = ("avoid", "chains", "found", "free", "kinds", "loops", "order", "short", "waiters", "wanted")

    def __init__(
        self, targets: Sequence[Any], skip: Sequence[Any], roots: Sequence[Any], short: Short
    ) -> None:
        records = own_records((targets, skip, roots, *skip, *roots), {id(value) for _, value in roots})
        pieces = own_parts(targets)
        counts = others(targets, records, pieces)
        self.short = short
        self.order = [id(target) for target in targets]
        self.free = {mark for mark, count in zip(self.order, counts, strict=True) if count == 0}
        self.wanted = {id(target): target for target in targets}
        self.waiters = {id(t): w for t in targets if (w := awaits(t)) is not None}
        self.chains = {id(target): {id(part) for part in own_chain(target)} for target in targets}
        self.loops = loops_of(targets)
        own = (records, pieces, self.wanted, self.waiters, self.loops, targets, skip)
        self.avoid = {*map(id, own), *map(id, pieces), *map(id, records), *joined(*self.chains.values())}
        self.kinds = Entrances()
        self.found: Found = {}

    def search(self, roots: Sequence[tuple[str, Any]], modules: list[str], budget: Budget) -> None:
        """Look for holders, in the cheap places first."""
        seconds = WALK_SECONDS * min(len(self.wanted), MOST_AT_ONCE)
        starts = [Start(value, fixed(text), "", FIXTURE) for text, value in roots]
        starts += [*of_modules(modules), *of_frames(self.short), *of_tasks(self.loops, set(self.wanted))]
        seen = set(self.avoid)
        self.walk(starts, seen, seconds)
        if self.left():
            self.walk(list(of_modules(modules_of(USER))), seen, seconds)
        if not self.left().keys() <= self.free:
            self.walk(list(of_modules(modules_of(LIBRARY))), seen, seconds)
        held = {mark: thing for mark, thing in self.left().items() if mark not in self.free}
        if held and len(self.wanted) > 1:
            self.between(held, seconds)
        held = {mark: thing for mark, thing in held.items() if mark not in self.found}
        if held:
            avoid = self.avoid | self.notes(held) | {id(waiter) for waiter in self.waiters.values()}
            self.take(search_back(held, avoid, seconds=budget.per_cause))
        for loop in self.loops if self.left() else ():
            self.walk(list(of_handles(loop)), set(joined(*self.chains.values())), seconds)

    def left(self) -> dict[int, Any]:
        """Return the targets that nobody is known to hold."""
        return {mark: thing for mark, thing in self.wanted.items() if mark not in self.found}

    def take(self, found: Found) -> None:
        """Keep what was found of what was not known."""
        for mark, pairs in found.items():
            self.found.setdefault(mark, pairs)

    def walk(self, starts: list[Start], seen: set[int], seconds: float) -> None:
        """Search forwards for the targets that are left, and for what they wait for."""
        left = self.left()
        waiters = {id(w): w for mark, w in self.waiters.items() if mark in left and id(w) not in self.found}
        wanted = {**waiters, **left}
        self.take(walk(starts, wanted, seen, self.kinds, needed=set(left), seconds=seconds))

    def between(self, held: dict[int, Any], seconds: float) -> None:
        """Find out whether the coroutine of one target holds another."""
        for mark in self.order[:MOST_BETWEEN]:
            wanted = {other: thing for other, thing in held.items() if other not in (mark, *self.found)}
            if wanted and self.chains[mark]:
                seen = self.avoid - self.chains[mark]
                start = [of_task(self.wanted[mark])]
                self.take(walk(start, wanted, seen, self.kinds, needed=set(wanted), seconds=seconds))

    def notes(self, held: dict[int, Any]) -> set[int]:
        """Return the ids of our own notes, which a search backwards would find."""
        chains = [chain for pairs in self.found.values() for _, chain in pairs]
        return {id(held), id(self.found), *map(id, chains)}

    def told(self, mark: int) -> tuple[str, ...]:
        """Return the chains that are told of one target."""
        found = dict.fromkeys(told(start, chain, self.short) for start, chain in self.found.get(mark, ()))
        if found:
            return tuple(found)[:MOST_CHAINS]
        pairs = self.found.get(id(self.waiters.get(mark)), ()) if mark in self.waiters else ()
        waits = (told_wait(*pair, self.short) for pair in pairs[:1])
        # A frame of the primitive's own method is another wait for the same thing, and keeps nothing.
        return tuple(f"{ONLY_WAIT}{x}" for x in waits if " -> " in x or not x.startswith("local 'self' of "))


def told(start: Start, chain: Chain, short: Short) -> str:
    """Return a chain as it is told."""
    if start.rank == LOOP and is_a(chain[-1], asyncio.Task) and any(map(is_helper, chain[1:])):
        return f"{ONLY_WAIT}{start.text()}"  # its own timeout
    found = parts(chain, short, root=start.text(), name=start.name)
    if start.rank == LOOP:
        # How a handle keeps its callback is the loop's affair.
        found[1:] = [part.removeprefix("._callback") for part in found[1:] if not part.startswith("inside a")]
        if found[0] == TRANSPORT:
            found[1:] = [part for x in found[1:] if (part := x.removeprefix(".__self__"))]
    inner = next((n for n, part in enumerate(found) if n and part.startswith(("local ", "in use in "))), 0)
    if start.rank == TASK:
        if inner == 0 and (len(found) == 1 or found[1].startswith(AWAITS)):
            return f"{found[0]}, which awaits it"
        if inner == 0 and found[1] == CALLBACK:
            return f"{CALLBACK} of {found[0]}"
        return " -> ".join(found[inner:])
    if start.rank == FIXTURE and inner > 1:
        # Between a fixture and the locals of its generator are pytest's own finalizers.
        del found[1:inner]
    return " -> ".join(found)


def told_wait(start: Start, chain: Chain, short: Short) -> str:
    """Return the chain that leads to what a target waits for, without that thing's inside."""
    return start.text() if start.rank == LOOP else told(start, containers_off(chain), short)


def draw(targets: Sequence[Any], out: str | TextIO) -> None:
    """Write the references that lead to some targets as DOT, with `objgraph`.

    objgraph would call `repr` and ask attributes of the objects; it is therefore given stand-ins of ours,
    one for each object, with the same references among them.  It collects garbage first.

    Parameters:
        targets: what is held.
        out: the path of a file, or an open stream of text.
    """
    import objgraph

    stands = mirrored(targets)
    if isinstance(out, str):
        with open(out, "w", encoding="utf-8") as stream:
            draw_stands(objgraph, stands, stream)
    else:
        draw_stands(objgraph, stands, out)


def draw_stands(objgraph: Any, stands: Sequence[Mirror], stream: TextIO) -> None:
    """Let objgraph draw the stand-ins, and nothing else."""
    objgraph.show_refs(
        tops(stands),
        max_depth=len(stands),
        too_many=len(stands),
        filter=lambda thing: issubclass(type(thing), Mirror),
        highlight=lambda mirror: mirror.target,
        extra_info=lambda mirror: mirror.label,
        output=stream,
    )
