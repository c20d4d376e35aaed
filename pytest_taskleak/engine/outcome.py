"""What became of the things that were asked to end, and how is that told?"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from pytest_taskleak.adapt.swallowing import Swallow
from pytest_taskleak.diagnosis import NONE_REAPED, PROVEN, Diagnosis, Reaped
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.explain.birth import shorten
from pytest_taskleak.explain.causes import CAUSES
from pytest_taskleak.model import Finding, Frame

Fate = Literal["cancelled", "completed", "errors", "stuck"]
Row = tuple[str, str]
MOST_TIMES = 3
"""Cancellations that are counted in a text; some libraries cancel a task in every turn of the loop."""


@dataclass(frozen=True, slots=True)
class Resistance:
    """How a task went on though it was cancelled.

    Parameters:
        before: how often it had been cancelled before it was asked here.
        asked: how often it was asked here.
        seconds: how long it was given to end.
        first: how many of them after it was asked for the first time.
        ended: it ended after all, late.
        still: where it waited when the first bound was over, if not where it had waited before.
        swallows: the clauses that kept its cancellations, as far as they were seen.
        spins: where it ran without ever waiting, if it did.
    """

    before: int = 0
    asked: int = 0
    seconds: float = 0.0
    first: float = 0.0
    ended: bool = False
    still: Frame | None = None
    swallows: tuple[Swallow, ...] = ()
    spins: Frame | None = None

    def rows(self, root: str) -> Iterable[Row]:
        """Yield what is to be told, each line with its label; paths as a reader knows them."""
        if self.spins is not None:
            yield "spins", at(self.spins, root)
            return
        yield "cancelled", self.story()
        if self.ended and self.still is not None:
            yield "still at", at(self.still, root)
        for each in () if self.ended else self.swallows:
            how = ", still in it" if each.within else f", {times(each.count)}" * (each.count > 1)
            yield (
                ("cleanup" if each.within else "swallowed"),
                f"{at(each.frame, root)}: {each.handler.text}{how}",
            )

    def story(self) -> str:
        """Say how often it was cancelled, and what it did."""
        if self.ended:
            return f"{times(self.asked)} to remove it: it did not end within {self.first:g} s"
        earlier = f"{times(self.before)} before; " if self.before else ""
        return f"{earlier}{times(self.asked)} to remove it, and went on for {self.seconds:g} s and longer"


@dataclass(slots=True, eq=False)
class Outcome:
    """What became of things that were asked to end. Lives for one checkpoint only.

    Parameters:
        remaining: the leftovers that live on.
        fates: what became of each task, by its identity.
        late: the tasks that needed longer than the first bound.
        resisting: the things that are to be told as resisting.
        evidence: how tasks resisted.
    """

    remaining: list[Leftover] = field(default_factory=list)
    fates: dict[int, Fate] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    resisting: set[int] = field(default_factory=set)
    evidence: dict[int, Resistance] = field(default_factory=dict)

    @property
    def reaped(self) -> Reaped:
        """The tasks, counted."""
        return self.count(self.fates)

    def count(self, things: Collection[int]) -> Reaped:
        """Count some of the tasks, given by their identities."""
        reaped = NONE_REAPED
        for key in things:
            if key in self.fates:
                reaped += Reaped(**{self.fates[key]: 1}, timed_out=int(key in self.late))
        return reaped

    def then(self, later: Outcome) -> Outcome:
        """Return what became of the same things after they were asked by another one."""
        return Outcome(
            self.remaining + later.remaining,
            {**self.fates, **later.fates},
            self.late | later.late,
            self.resisting | later.resisting,
            {**self.evidence, **later.evidence},
        )

    def told(self, item: Leftover, finding: Finding, root: str) -> Finding:
        """Return the finding of a thing with what was seen when it was removed."""
        things = [item.thing, *(part.thing for part in item.parts)]
        known = [self.evidence[id(thing)] for thing in things if id(thing) in self.evidence]
        resource = finding.resource
        rows = list(dict.fromkeys(row for each in known for row in each.rows(root)))
        if rows:
            labels = {label for label, _ in rows}
            details = tuple(row for row in resource.details if row[0] not in labels)
            resource = replace(resource, details=(*details, *unique(rows)))
            finding = replace(finding, resource=resource)
        if id(item.thing) not in self.resisting:
            return finding
        resource = item.detector.resisting(resource)
        if resource is finding.resource:
            return finding
        told = replace(finding, resource=resource, advice=item.detector.advice(resource))
        return replace(told, diagnosis=diagnosed(told.diagnosis, rows)) if rows else told


def unique(rows: Iterable[Row]) -> Iterable[Row]:
    """Yield the rows; of those that say how often a task was cancelled only the first one."""
    counted = False
    for row in rows:
        if row[0] != "cancelled" or not counted:
            yield row
        counted |= row[0] == "cancelled"


def diagnosed(diagnosis: Diagnosis | None, rows: Iterable[Row]) -> Diagnosis | None:
    """Return a diagnosis with what was learnt since, unless it holds a proof."""
    seen = dict(rows)
    if diagnosis is None or diagnosis.finality in (*PROVEN, "deadlock"):
        return diagnosis
    if "spins" in seen:
        ends = "never by itself: it spins, and lets nothing else run"
        return replace(diagnosis, finality="spins", ends=ends)
    if "swallowed" in seen:
        cause = "swallowed-cancel"
        ends = "not when it is cancelled: it catches that and goes on"
        return replace(diagnosis, finality="swallows", ends=ends, cause=cause, why=CAUSES[cause].why)
    return diagnosis


def at(frame: Frame, root: str) -> str:
    """Return a line as a report shows it."""
    return f"{shorten(frame.path, root)}:{frame.line}  {frame.qualname}"


def times(count: int) -> str:
    """Return a number of times in words, the same in every run."""
    if count > MOST_TIMES:
        return f"more than {MOST_TIMES} times"
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
