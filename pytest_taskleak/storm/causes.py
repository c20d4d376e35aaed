"""Which failures of a storm have one cause, and how is that told: once, with all who are in it?

The same check at the same place is one cause.  Tasks that differ only in the numbers of their names, run the
same coroutine and stand at the same place are one, too: `worker-0 (and worker-1)`.

In a run in which nothing can wake anything any more (`B`), the tasks that are left and the clients that wait
are part of that: they are told with it, and not each for itself.  Where they come without it, they are causes
of their own.  Who is left in it tells one deadlock from another; one in which more are left is the same.

What is told once fails a test as it did: a cause is as bad as the worst of its failures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.results import Cause
from pytest_taskleak.storm.verdicts import SCALES, Violation
from pytest_taskleak.storm.wording import plain

DEADLOCK = "B"
IN_IT = "TQD"
"""What a deadlock explains: tasks left, clients left waiting, a deadline that cannot be kept."""
NUMBERS = re.compile(r"\d+")
MOST_NAMES = 3
"""Names of tasks that are told beside the first one."""
MOST_IN_IT = 4
"""Who is told with a deadlock, each with where it stands."""
Key = tuple[str, str]
"""The letter, and the place."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one run shows of one cause.

    Parameters:
        violation: with the place by which the cause is told apart, and with all who are in it in its text.
        place: of a deadlock, where its own task stands.
        left: of a deadlock, the places of the tasks that are left in it.
    """

    violation: Violation
    place: str = ""
    left: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """What is the same for all failures of one cause."""
        return self.violation.oracle, self.violation.where


class Causes:
    """The causes that the runs of a sweep have shown; each is told by the earliest of its worst failures."""

    def __init__(self) -> None:
        self._found: dict[Key, Cause] = {}
        self._deadlocks: dict[Key, Told] = {}

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._found)

    def note(
        self, violations: Sequence[Violation], plan: Plan, token: Callable[[], str], *, axis: str = ""
    ) -> None:
        """Put what one run has found with what is of the same cause.

        Parameters:
            violations: what was wrong.
            plan: the run.
            token: returns what replays it.
            axis: what its axis is called, where that is not the plan's.
        """
        for told in once(violations):
            known, violation = self._found.get(told.key), told.violation
            if told.left:
                self._deadlocks[told.key] = told
            if known is None or is_worse(violation, known) or is_earlier(violation, plan, known):
                made = cause_of(violation, plan, token(), axis or plan.axis)
                self._found[told.key] = made if known is None else replace(made, count=known.count + 1)
            else:
                self._found[told.key] = replace(known, count=known.count + 1)

    def listed(self) -> list[Cause]:
        """Return them, the worst first."""
        found = dict(self._found)
        for key, told in self._deadlocks.items():
            same = [
                other
                for other, smaller in self._deadlocks.items()
                if smaller.place == told.place and smaller.left < told.left
            ]
            if same:
                first = min(same, key=lambda other: len(self._deadlocks[other].left))
                found[first] = replace(found[first], count=found[first].count + found.pop(key).count)
        return in_order(found.values())


def of_run(violations: Sequence[Violation], plan: Plan, token: str) -> list[Cause]:
    """Return what one run has found, the worst first.

    Parameters:
        violations: what was wrong.
        plan: the run.
        token: replays it.
    """
    causes = Causes()
    causes.note(violations, plan, lambda: token)
    return causes.listed()


def same(cause: Cause, violations: Sequence[Violation]) -> Violation | None:
    """Return the failure of one run that has a cause, `None` if it has another one or none."""
    key = (cause.oracle, cause.where)
    return next((told.violation for told in once(violations) if told.key == key), None)


def joined(causes: Iterable[Cause]) -> list[Cause]:
    """Return causes of several sweeps, each once: as the first of its worst tells it, with all its runs.

    What the ledger says has no place in the code: in another world it may have another cause.
    """
    found: dict[tuple[str, ...], Cause] = {}
    for cause in causes:
        world = cause.token.rpartition("/")[0] if cause.where.startswith("ledger") else ""
        key = cause.oracle, cause.where, world
        known = found.get(key, cause)
        worse = SCALES.index(cause.scale) < SCALES.index(known.scale)
        count = cause.count if known is cause else known.count + cause.count
        found[key] = replace(cause if worse else known, count=count)
    return in_order(found.values())


def in_order(causes: Iterable[Cause]) -> list[Cause]:
    """Return causes, the worst and the most frequent first."""
    return sorted(causes, key=lambda cause: (SCALES.index(cause.scale), -cause.count, cause.point))


def cause_of(violation: Violation, plan: Plan, token: str, axis: str) -> Cause:
    """Return a cause as its first failure tells it."""
    return Cause(
        oracle=violation.oracle,
        name=violation.name,
        text=violation.text,
        where=violation.where,
        scale=violation.scale,
        count=1,
        axis=axis,
        point=plan.point,
        token=token,
        seed=plan.seed,
    )


def is_worse(violation: Violation, cause: Cause) -> bool:
    """Tell whether a failure is worse than the one that its cause is told by."""
    return SCALES.index(violation.scale) < SCALES.index(cause.scale)


def is_earlier(violation: Violation, plan: Plan, cause: Cause) -> bool:
    """Tell whether a failure as bad comes before the one that its cause is told by: on its axis and seed."""
    alike = (violation.scale, plan.axis, plan.seed) == (cause.scale, cause.axis, cause.seed)
    return alike and 0 <= plan.point < cause.point


# --- one run ---------------------------------------------------------------------------------------------


def once(violations: Sequence[Violation]) -> list[Told]:
    """Return what one run has found, each cause once, in the order in which they were found."""
    groups: dict[Key, list[Violation]] = {}
    for violation in violations:
        groups.setdefault((violation.oracle, place_of(violation)), []).append(violation)
    found = [Told(together(group, where)) for (_, where), group in groups.items()]
    blocked = next((told for told in found if told.violation.oracle == DEADLOCK), None)
    if blocked is None:
        return found
    scale = blocked.violation.scale
    inside = [told for told in found if told.violation.oracle in IN_IT and told.violation.scale == scale]
    whole = deadlock(blocked.violation, [told.violation for told in inside])
    return [whole if told is blocked else told for told in found if told not in inside]


def place_of(violation: Violation) -> str:
    """Return the place by which a failure is told apart; numbers in the name of a task are `*` in it."""
    name, place = violation.task, violation.where
    if not name or not NUMBERS.search(name) or not place.startswith(f"{name}:"):
        return place
    place = place.removeprefix(f"{name}:")
    runs = "" if place.partition("+")[0] == violation.runs else f" in {violation.runs}"
    return f"{NUMBERS.sub('*', name)}:{place}{runs}"


def together(group: Sequence[Violation], where: str) -> Violation:
    """Return failures of one cause as one: the first of the worst, with the names of the others."""
    first = min(group, key=lambda violation: SCALES.index(violation.scale))
    text, name = plain(first.text), first.task
    names = list(dict.fromkeys(other.task for other in group if other.task and other.task != name))
    if names:
        rest = len(names) - MOST_NAMES
        others = ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
        told = f"{name!r} at "
        text = (
            text.replace(told, f"{name!r} (and {others}) at ", 1)
            if told in text
            else f"{text} (and {others})"
        )
    return replace(first, text=text, where=where)


def deadlock(blocked: Violation, inside: Sequence[Violation]) -> Told:
    """Return a deadlock with all who are in it.

    Parameters:
        blocked: what the run says of it.
        inside: the failures that it explains.
    """
    left = sorted({violation.where for violation in inside if violation.oracle == "T"})
    where = f"{blocked.where} with {', '.join(left)}" if left else blocked.where
    texts = [violation.text.partition(", born ")[0] for violation in inside]
    if len(texts) > MOST_IN_IT:
        texts[MOST_IN_IT:] = [f"and {len(texts) - MOST_IN_IT} more"]
    text = f"{blocked.text}; with it {'; '.join(texts)}" if texts else blocked.text
    return Told(replace(blocked, text=text, where=where), blocked.where, frozenset(left))
