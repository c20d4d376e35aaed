"""Will what is left end by itself?

First the loops are turned: work that is ready needs no time.  Only what something outside can still
wake gets real time, by a backoff that is counted and not measured, within the grace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.engine.births import Record

FIRST_TURNS = 24
"""Turns that drain the deepest chain of cancellations seen (facts: 21 for a chain of 20 tasks)."""
NEXT_TURNS = 4


@dataclass(slots=True, eq=False)
class Leftover:
    """A thing that is alive when its scope closes. Lives for one checkpoint only.

    Parameters:
        detector: its kind.
        thing: the thing itself.
        birth: the record of its birth, if there is one.
        parts: the leftovers that are told under this one.
    """

    detector: Any
    thing: Any
    birth: Record | None
    parts: list[Leftover] = field(default_factory=list)


@dataclass(slots=True)
class Budget:
    """The real time in seconds that one test may still spend on waiting."""

    left: float

    def spend(self, seconds: float) -> None:
        """Take away what was waited."""
        self.left = max(0.0, self.left - seconds)


Live = Callable[[], list[Leftover]]
Hopeless = Callable[[list[Leftover]], bool]
"""Tells of leftovers that none of them is worth waiting for; asked after the first turns."""


def nobody(left: list[Leftover]) -> bool:
    """Leave no leftover out."""
    return not left


def steps(
    live: Live, budget: Budget, *, hope: bool, hopeless: Hopeless = nobody
) -> Iterator[tuple[list[Leftover], float, int]]:
    """Yield (leftovers, seconds to pause, turns to give) until nothing is left or time is up.

    Parameters:
        hope: stop as soon as all that is left is known to need longer than the budget.
        hopeless: tells whether all of them are proven never to end by themselves.
    """
    left = live()
    if not left:
        return
    yield left, 0.0, FIRST_TURNS
    for pause in timing.backoff(budget.left):
        left = live()
        if not left or (hope and all(x.detector.patience(x.thing) > budget.left for x in left)):
            return
        if hope and hopeless(left):
            return
        yield left, pause, NEXT_TURNS
        budget.spend(pause)


def settle(live: Live, budget: Budget, *, hope: bool = True, hopeless: Hopeless = nobody) -> None:
    """Let what is on its way out be finished, from outside any running loop."""
    for left, pause, turns in steps(live, budget, hope=hope, hopeless=hopeless):
        if pause:
            left[0].detector.wait(left[0].thing, pause)
        turn(left, turns)


async def settle_here(live: Live, budget: Budget, *, hope: bool = True, hopeless: Hopeless = nobody) -> None:
    """Do the same from inside a running loop, without its timers: they may be frozen."""
    for left, pause, turns in steps(live, budget, hope=hope, hopeless=hopeless):
        if pause:
            timing.pause(pause)
        turn(left, turns)
        for _ in range(turns):
            await asyncio_.one_turn()


def turn(left: Iterable[Leftover], times: int) -> None:
    """Turn every loop among the leftovers that may be turned from here."""
    loops = {id(loop): loop for item in left if (loop := item.detector.loop(item.thing)) is not None}
    for loop in loops.values():
        if asyncio_.can_turn(loop):
            asyncio_.turn(loop, times)
