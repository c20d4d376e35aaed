"""With how few items, and how early, does a failure still come?

A load that says how many items it hands in can be asked for fewer: `for i in env.items(14)` in the load, or
`asked(load_of, 14)` in its place.  No items, one, two and so on up to `EVERY` are tried, each at every
moment of the cause's axis, until one fails in the same way: with the same check at the same place.  Beyond
that the steps grow by half, and what lies between the last two is halved.  Small loads have few moments, so
that this is a matter of some hundred runs.  Of the failing moments with the fewest items the earliest
counts.  A load that cannot be asked is run as it is, and only the moment is sought.

What this does not do:

- Fewest is meant for one axis and one seed, those of the cause.  Another axis may fail with fewer items.
- Beyond `EVERY` items a failure is taken to come with every larger number; a smaller one that was stepped
  over is not found, and `proven` is false.
- A smaller load is another program: its failure has the same check and the same place, and may yet have
  another reason.  For checks of the ledger the place is the ledger itself, so that any loss counts as the
  same.
- A number of items that fails in some other way without any trigger is passed over.  One that fails in the
  same way without a trigger counts: there is nothing smaller.
- Which items are left out is not chosen: the load hands in the first ones.  Latencies, dependencies, tasks
  and deadlines are neither made fewer nor shorter.
- The earliest point is the first of its axis; of `fault`, the first call of the first dependency by name.
- Where runs or seconds run out, what was found until then is given, and `proven` is false.
- What is not deterministic shrinks to whatever failed when it was tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_taskleak.storm import axes
from pytest_taskleak.storm.adapters import takes_two, waited
from pytest_taskleak.storm.causes import same
from pytest_taskleak.storm.env import Env, all_codes
from pytest_taskleak.storm.observing import Step
from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.results import Cause
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep, installed
from pytest_taskleak.storm.telling import listening
from pytest_taskleak.storm.tokens import plan_of, token_of
from pytest_taskleak.storm.verdicts import Violation, fails
from pytest_taskleak.timing import now as real_now

MOST_RUNS = 5_000
"""Runs that one cause may take."""
MOST_SECONDS = 10.0
"""Real seconds that one cause may take."""
EVERY = 16
"""Items up to which each number is tried."""


class Spent(Exception):
    """There are no runs or no seconds left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """A cause, made small.

    Parameters:
        cause: told by its smallest failure; its token replays that.
        items: with how many items it comes; -1 where the load cannot be asked.
        of_items: how many the load hands in of itself.
        place: the number of the failing moment on its axis, from 0; -1 where it needs no trigger.
        of_places: how many moments the axis has then.
        runs: that this took.
        seconds: real ones.
        proven: whether every smaller number of items, and every earlier moment, was tried.
    """

    cause: Cause
    items: int
    of_items: int
    place: int
    of_places: int
    runs: int
    seconds: float
    proven: bool

    @property
    def text(self) -> str:
        """What it was shrunk to: `1 item of 14, point 9 of 40`."""
        parts = []
        if self.items >= 0:
            parts.append(f"{self.items} item{'' if self.items == 1 else 's'} of {self.of_items}")
        parts.append("no trigger" if self.place < 0 else f"point {self.place} of {self.of_places}")
        return ", ".join(parts) + ("" if self.proven else " (not all that is smaller was tried)")


def asked(make_load: Callable[[int], Any], items: int) -> Callable[[Any, Env], Any]:
    """Return a load that can be asked for fewer items.

    Parameters:
        make_load: returns a load for so many items.
        items: as many as it hands in of itself.
    """

    async def load(service: Any, env: Env) -> None:
        made = make_load(len(env.items(items)))
        code = getattr(made, "__code__", None)
        if code is not None:
            env.client_codes.update(all_codes(code))
        await waited(made(service, env) if takes_two(made) else made(service))

    return load


def shrink(sweep: Sweep, cause: Cause, *, runs: int = MOST_RUNS, seconds: float = MOST_SECONDS) -> Shrunk:
    """Return the smallest failure of a cause.

    Parameters:
        sweep: what has found it, or another of the same service and load.
        cause: what is sought again.
        runs: so many may be made.
        seconds: so many real ones may pass.

    Raises:
        LookupError: the failure does not come any more.
    """
    with installed(sweep.primitives), listening(None):
        return Search(sweep, cause, runs, real_now() + seconds).search()


@dataclass(slots=True)
class Found:
    """A failing run.

    Parameters:
        plan: the run.
        violation: what was wrong.
        place: its number on the axis; -1 for the baseline.
        of_places: so many the axis has.
        steps: what the baseline of its load did.
    """

    plan: Plan
    violation: Violation
    place: int
    of_places: int
    steps: Sequence[Step]


class Search:
    """The search for one cause.

    Parameters:
        sweep: makes the runs.
        cause: is sought.
        runs: so many may be made.
        until: the real time at which it ends.
    """

    def __init__(self, sweep: Sweep, cause: Cause, runs: int, until: float) -> None:
        self.sweep, self.cause = sweep, cause
        self.left, self.until = runs, until
        self.began, self.allowed = real_now(), runs
        self.best: Found | None = None
        self.proven = True

    def search(self) -> Shrunk:
        """Find the fewest items, and the earliest moment.

        Raises:
            LookupError: the failure does not come any more.
        """
        full = 0
        try:
            full = self._baseline(-1).items
            if full:
                self._fewest(full)
            else:
                self.best = self._first(-1)
        except Spent:
            self.proven = False
            self.best = self.best or self._as_told()
        if self.best is None:
            raise LookupError(f"{self.cause.name} at {self.cause.where!r} does not come any more")
        return self._shrunk(self.best, full)

    def _fewest(self, full: int) -> None:
        """Find the fewest items: up by ever larger steps, then between the last two."""
        below = -1
        for items in rising(full):
            found = self._first(items)
            if found is not None:
                self.best = found
                break
            below = items
        if self.best is None:
            return
        top = self.best.plan.items
        while top - below > 1:
            self.proven = False
            middle = (top + below) // 2
            found = self._first(middle)
            if found is None:
                below = middle
            else:
                self.best, top = found, middle

    def _first(self, items: int) -> Found | None:
        """Return the earliest failure with so many items; `None` if there is none at any moment."""
        cause, sweep = self.cause, self.sweep
        outcome = self._baseline(items)
        base = sweep.baseline(cause.seed, items)
        here = self._same(outcome)
        if here is not None:
            return Found(outcome.plan, here, -1, 0, base.steps)
        if fails(outcome.violations) or cause.axis == "baseline":
            return None
        plans = [replace(plan, items=items) for plan in base.plans(cause.axis, cause.seed)]
        places = {plan: place for place, plan in enumerate(plans)}
        clean: set[Plan] = set()
        for plan in axes.ordered(plans, base.steps, base.begun):
            found = self._try(plan, places, base.steps)
            if found is None:
                clean.add(plan)
                continue
            self.best = found  # kept, should there be no time for the earlier ones
            for earlier in plans[: found.place]:
                if earlier not in clean and (first := self._try(earlier, places, base.steps)) is not None:
                    return first
            return found
        return None

    def _try(self, plan: Plan, places: dict[Plan, int], steps: Sequence[Step]) -> Found | None:
        self._spend()
        violation = self._same(self.sweep.run(plan))
        return None if violation is None else Found(plan, violation, places[plan], len(places), steps)

    def _baseline(self, items: int) -> Outcome:
        if (self.cause.seed, items) not in self.sweep.baselines:
            self._spend()
        return self.sweep.baseline(self.cause.seed, items).outcome

    def _same(self, outcome: Outcome) -> Violation | None:
        return same(self.cause, outcome.violations)

    def _spend(self) -> None:
        if self.left <= 0 or real_now() > self.until:
            raise Spent
        self.left -= 1

    def _as_told(self) -> Found:
        """Return the cause as it stands: there was no time to find it once more."""
        cause = self.cause
        base = self.sweep.baseline(cause.seed)
        plan = plan_of(cause.token, lambda seed, items: self.sweep.baseline(seed, items).steps)
        violation = Violation(cause.oracle, cause.text, cause.where, cause.scale)
        return Found(plan, violation, cause.point, base.outcome.points, base.steps)

    def _shrunk(self, best: Found, full: int) -> Shrunk:
        items = best.plan.items
        if full and items < 0:
            items = full
        cause = replace(
            self.cause,
            text=best.violation.text,
            scale=best.violation.scale,
            axis=best.plan.axis,
            point=best.plan.point,
            token=token_of(best.plan, best.steps),
        )
        return Shrunk(
            cause=cause,
            items=items if full else -1,
            of_items=full,
            place=best.place,
            of_places=best.of_places,
            runs=self.allowed - self.left,
            seconds=real_now() - self.began,
            proven=self.proven,
        )


def rising(full: int) -> Iterator[int]:
    """Yield the numbers of items to try: each of the few, then ever larger steps, at last all of them."""
    items = 0
    while items < full:
        yield items
        items += 1 if items < EVERY else items // 2
    yield full
