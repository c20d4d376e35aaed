"""Would the fuzz notice if the proof were wrong?  `python tests/proof/mutations.py [--programs N]`.

Each mutation takes one rule out of the proof, or turns one around.  A dangerous one must give a false proof, or
drive everything into `unknown`, within so many programs; the others only make the proof weaker.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fuzz

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.explain import proof, reach

FALSE, SEALED, UNKNOWN, WEAKER = "false proof", "wrongly sealed", "unknown", "weaker"
"""What a mutation leads to: a claim that is wrong, another one that is, no claim any more, fewer claims."""
SHOWS = {FALSE: (FALSE,), SEALED: (SEALED,), UNKNOWN: (UNKNOWN, FALSE), WEAKER: (WEAKER,)}
"""What is accepted for what is wanted: arithmetic that is off shows in one way or the other."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of the proof.

    Parameters:
        name: what is changed.
        effect: what it must lead to; FALSE, SEALED and UNKNOWN must show, WEAKER must not give a false proof.
        owner: the module or class that is changed.
        attribute: the name in it.
        change: gets what stands there, returns what shall.
    """

    name: str
    effect: str
    owner: Any
    attribute: str
    change: Callable[[Any], Any]

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Change the proof for the length of a block."""
        with mock.patch.object(self.owner, self.attribute, self.change(getattr(self.owner, self.attribute))):
            yield


def none(_: Any) -> Callable[..., list[Any]]:
    """Find nothing."""
    return lambda *_, **__: []


def lone_reference(_: Any) -> Callable[..., Any]:
    """Take one reference from outside for none."""

    def external(region: Any, stops: Any) -> list[Any]:
        return [
            x
            for x in region.things
            if region.outside[id(x)] > 1 and id(x) not in stops and id(x) not in region.neutral
        ]

    return external


def holders_of_tasks(_: Any) -> Callable[..., Any]:
    """Let whoever holds a task reach what it holds."""

    def external(region: Any, stops: Any) -> list[Any]:
        return [x for x in region.things if region.outside[id(x)] and id(x) not in region.neutral]

    return external


def through_own(_: Any) -> Callable[..., Any]:
    """Let the harness's containers count as anybody's."""

    def external(region: Any, stops: Any) -> list[Any]:
        return [x for x in region.things if region.outside[id(x)] and id(x) not in stops]

    return external


def tasks_never_end(can_wake: Any) -> Callable[..., Any]:
    """Let nothing wake a task that awaits a task."""

    def changed(waiter: Any, *rest: Any) -> bool:
        return not isinstance(waiter, asyncio.Task) and bool(can_wake(waiter, *rest))

    return changed


def tasks_like_futures(can_wake: Any) -> Callable[..., Any]:
    """Let whoever holds a task complete it."""

    def changed(waiter: Any, region: Any, stops: Any, marked: set[int], live: set[int]) -> bool:
        return id(waiter) in marked or id(waiter) not in region.members

    return changed


def one_round(_: Any) -> Callable[..., Any]:
    """Wake the tasks in one round, without looking whom those wake."""

    def waken(region: Any, waiting: Sequence[Any], marked: set[int], live: set[int]) -> None:
        stops = set(map(id, waiting))
        before = set(marked)
        for task in waiting:
            if proof.can_wake(asyncio_.waiter_of(task), region, stops, before, set()):
                live.add(id(task))
                marked.add(id(task))

    return waken


def live_keep_to_themselves(waken: Any) -> Callable[..., Any]:
    """Let a task that runs reach nothing."""

    def changed(region: Any, waiting: Sequence[Any], marked: set[int], live: set[int]) -> None:
        with mock.patch.object(reach.Region, "spread", return_value=None):
            waken(region, waiting, marked, live)

    return changed


def all_wait(_: Any) -> Callable[..., Any]:
    """Take a task that is about to run for one that waits."""
    return lambda task: proof.Proof("ready") if asyncio_.waiter_of(task) is None else None


def weak_from_outside_only(weak_seeds: Any) -> Callable[..., Any]:
    """Forget weak references that something marked holds."""

    def changed(region: Any, marked: set[int], stops: set[int]) -> list[Any]:
        inside = region.members
        return [
            x
            for x in weak_seeds(region, marked, stops)
            if any(id(reference) not in inside for reference in weakref.getweakrefs(x))
        ]

    return changed


def every_weak_reference(_: Any) -> Callable[..., Any]:
    """Take every weak reference for one that somebody has."""

    def changed(region: Any, marked: set[int], stops: set[int]) -> list[Any]:
        return [
            x
            for x in region.things
            if id(x) not in marked and id(x) not in stops and weakref.getweakrefcount(x)
        ]

    return changed


def off_by(number: int) -> Callable[[Any], Callable[..., Any]]:
    """Count references wrongly."""

    def change(rest: Any) -> Callable[..., Any]:
        def changed(self: Any, inside: dict[int, int]) -> dict[int, int]:
            return {key: count + number for key, count in rest(self, inside).items()}

        return changed

    return change


def clipped(rest: Any) -> Callable[..., Any]:
    """Count references wrongly, and hide it."""

    def changed(self: Any, inside: dict[int, int]) -> dict[int, int]:
        return {key: max(count - 1, 0) for key, count in rest(self, inside).items()}

    return changed


def own_twice(region: Any) -> Callable[..., Any]:
    """Count the harness's containers twice."""
    return lambda seeds, own, most: region(seeds, [*own, *own], most)


def own_never(region: Any) -> Callable[..., Any]:
    """Count what the harness's containers hold as held by others."""
    return lambda seeds, own, most: region(seeds, (), most)


def standing_still(_: Any) -> Callable[..., None]:
    """Mark what is referred to from outside, and nothing behind it."""
    return lambda *_, **__: None


def through_frames(spread: Any) -> Callable[..., Any]:
    """Let frames that are over lead on."""
    return lambda self, roots, marked, stops, frames=False: spread(self, roots, marked, stops, frames=True)


def through_tasks(spread: Any) -> Callable[..., Any]:
    """Let whoever holds a task reach what that has."""
    return lambda self, roots, marked, stops, frames=False: spread(self, roots, marked, (), frames=frames)


def deaf(_: Any) -> Callable[..., set[int]]:
    """Call nothing held that is not reached."""
    return lambda region, marked: set(marked)


MUTATIONS = (
    Mutation("weak references lead nowhere", FALSE, proof, "weak_seeds", none),
    Mutation("weak references of live things are forgotten", FALSE, proof, "weak_seeds", weak_from_outside_only),
    Mutation("finalizers do nothing", FALSE, proof, "finalizer_seeds", none),
    Mutation("callbacks of weak references do nothing", FALSE, proof, "callback_seeds", none),
    Mutation("one reference from outside is none", FALSE, proof, "external", lone_reference),
    Mutation("nothing is referred to from outside", FALSE, proof, "external", none),
    Mutation("what is marked leads nowhere", FALSE, reach.Region, "spread", standing_still),
    Mutation("a task that is awaited never ends", FALSE, proof, "can_wake", tasks_never_end),
    Mutation("no fixpoint", FALSE, proof, "waken", one_round),
    Mutation("a live task reaches nothing", FALSE, proof, "waken", live_keep_to_themselves),
    Mutation("what is ready counts as waiting", WEAKER, proof, "at_once", all_wait),
    Mutation("one reference too few, hidden", FALSE, reach.Region, "_rest", clipped),
    Mutation("one reference too few", UNKNOWN, reach.Region, "_rest", off_by(-1)),
    Mutation("own containers are counted twice", UNKNOWN, proof, "Region", own_twice),
    Mutation("nobody is held but who is reached", SEALED, proof, "held", deaf),
    Mutation("one reference too many", WEAKER, reach.Region, "_rest", off_by(1)),
    Mutation("own containers are anybody's", WEAKER, proof, "Region", own_never),
    Mutation("own containers may be roots", WEAKER, proof, "external", through_own),
    Mutation("whoever holds a task reaches what it has", WEAKER, proof, "external", holders_of_tasks),
    Mutation("a held task leads on", WEAKER, reach.Region, "spread", through_tasks),
    Mutation("frames lead on", WEAKER, reach.Region, "spread", through_frames),
    Mutation("whoever holds a task completes it", WEAKER, proof, "can_wake", tasks_like_futures),
    Mutation("every weak reference leads on", WEAKER, proof, "weak_seeds", every_weak_reference),
    Mutation("small containers are hubs", WEAKER, reach, "HUGE", lambda _: 0),
)  # fmt: skip


def apply(name: str) -> None:
    """Change the proof in this process for good."""
    for mutation in MUTATIONS:
        if mutation.name == name:
            mutation.applied().__enter__()
            return
    raise SystemExit(f"no mutation {name!r}; there are: {', '.join(m.name for m in MUTATIONS)}")


def tried(mutation: Mutation | None, programs: int, seed: int, step: int = 100) -> tuple[str, dict[str, int]]:
    """Run programs with a mutation until it shows; return its effect and the counts."""
    total: dict[str, int] = {}
    options = fuzz.Options(run_on=0)
    with mutation.applied() if mutation else contextlib.nullcontext():
        for first in range(0, programs, step):
            part = fuzz.soak(seed, first, step, proof.prove, options, shrink=False, stop=1)["total"]
            total = {name: total.get(name, 0) + part.get(name, 0) for name in {*total, *part}}
            if total["false"] or (total["unsealed"] and mutation and mutation.effect == SEALED):
                break
            if mutation and mutation.effect == UNKNOWN and total["unknown"] > total["tasks"] / 2:
                break
    if total["false"]:
        return FALSE, total
    if total["unsealed"]:
        return SEALED, total
    return (UNKNOWN if total["unknown"] > total["tasks"] / 2 else WEAKER), total


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 1 if a mutation was not noticed."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--programs", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--dangerous", action="store_true", help="only those that must be noticed")
    given = parser.parse_args(arguments)
    fuzz.be_quiet()
    missed = 0
    for mutation in (None, *MUTATIONS):
        wanted = mutation.effect if mutation else WEAKER
        if given.dangerous and wanted == WEAKER:
            continue
        effect, total = tried(mutation, given.programs, given.seed)
        recall = 100 * total["proven_stuck"] / max(total["stuck"], 1)
        seen = effect in SHOWS[wanted]
        mark = "" if seen else f"   MISSED: {wanted} was expected"
        missed += not seen
        name = mutation.name if mutation else "(no mutation)"
        print(
            f"{name:50} {effect:15} after {total['programs']:5} programs, recall {recall:5.1f} %{mark}",
            flush=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
