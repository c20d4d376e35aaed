"""Which random scenarios are there, and what must be true of each?"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import anyio
import operations
from operations import OPERATIONS, THINKS, Action, Place, Wrong

from pytest_taskleak import FakeClock

MOST_LATE = 3600_000
WAYS: dict[str, dict[str, Any]] = {
    "hooks": {},
    "step": {"driver": "step"},
    "uvloop": {},
    "threads": {"threads": True},
    "freeze": {"io": "freeze"},
}
"""Way -> options of the clock."""
FAILURES = ("early", "moved", "inexact", "late", "error", "hung")


# --- what is drawn ------------------------------------------------------------------------------------


def names(functions: Any) -> tuple[str, ...]:
    """Return the names of operations."""
    return tuple(function.__name__ for function in functions)


KINDS: dict[str, tuple[tuple[str, ...], float]] = {
    "connection": (names(operations.CONNECTIONS), 3),
    "thread": (names(operations.THREADS), 3),
    "virtual": (names(operations.VIRTUAL), 4),
    "child": (names(operations.CHILDREN), 0.03),
}
"""Sort -> the operations, and how often it is drawn."""


def sorts(way: str) -> dict[str, tuple[tuple[str, ...], float]]:
    """Return the operations of a way."""
    found = dict(KINDS)
    if way == "threads":
        found["in thread"] = (names(operations.IN_THREADS), 3)
    if way == "freeze":
        found["outside"] = (("outside",), 2)
    return found


def an_action(draw: random.Random, way: str) -> Action:
    """Draw an action.

    Parameters:
        draw: where chance comes from.
        way: a key of `WAYS`.
    """
    table = sorts(way)
    sort = draw.choices(list(table), [weight for _, weight in table.values()])[0]
    kind = draw.choice(table[sort][0])
    think = 0.0
    if kind in THINKS and (sort in ("virtual", "in thread") or draw.random() < 0.4):
        think = draw.choice((1, 5, 10, 10, 20, 50, 100, 1000, draw.randint(1, MOST_LATE))) / 1000
    work = draw.choice((0.0, 0.0, 0.0, 0.0, 0.0002, 0.0005, 0.001, 0.002, 0.005))
    how = draw.choice(list(operations.TOIL))
    size = draw.choice((1, 10, 100, 1000, 100_000)) if draw.random() < 0.95 else draw.randint(1, 1_000_000)
    guard = draw.choice(list(GUARDS))
    limit = draw.choice((1, 2, 10, 100, 1000, 30_000)) / 1000 + 0.0005  # never at the same time
    if think and draw.random() < 0.6:
        limit += think
    return Action(kind, think, work, how, size, guard, limit)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Some tasks that run side by side, each of which does one thing after the other."""

    seed: int
    way: str
    tasks: tuple[tuple[Action, ...], ...]

    def told(self) -> str:
        """Return it as lines."""
        lines = [f"seed {self.seed}, {self.way}:"]
        for number, actions in enumerate(self.tasks):
            lines += [f"  task {number}: {action}" for action in actions]
        return "\n".join(lines)


def generate(seed: int, way: str) -> Scenario:
    """Draw a scenario."""
    draw = random.Random(f"{seed}:{way}")  # noqa: S311 -- chance that comes again
    tasks = (
        tuple(an_action(draw, way) for _ in range(draw.choice((1, 1, 1, 2, 2, 3))))
        for _ in range(draw.randint(3, 8))
    )
    return Scenario(seed, way, tuple(tasks))


# --- what limits its time -----------------------------------------------------------------------------

Work = Coroutine[Any, Any, None]


async def _none(work: Work, limit: float) -> None:
    await work


async def _timeout(work: Work, limit: float) -> None:
    async with asyncio.timeout(limit):
        await work


async def _timeout_at(work: Work, limit: float) -> None:
    async with asyncio.timeout_at(asyncio.get_running_loop().time() + limit):
        await work


async def _rescheduled(work: Work, limit: float) -> None:
    async with asyncio.timeout(limit / 2) as timeout:
        timeout.reschedule(asyncio.get_running_loop().time() + limit)
        await work


async def _nested(work: Work, limit: float) -> None:
    async with asyncio.timeout(limit * 2):
        await asyncio.wait_for(work, limit)


async def _wait_for(work: Work, limit: float) -> None:
    await asyncio.wait_for(work, limit)


async def _wait(work: Work, limit: float) -> None:
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=limit)
    if done:
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    raise TimeoutError


async def _fail_after(work: Work, limit: float) -> None:
    with anyio.fail_after(limit):
        await work


async def _called(work: Work, limit: float) -> None:
    task, fired = asyncio.create_task(work), asyncio.Event()
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(limit, function) for function in (fired.set, task.cancel)]
    try:
        await task
    except asyncio.CancelledError:
        if not fired.is_set():
            raise
        raise TimeoutError from None
    finally:
        for timer in timers:
            timer.cancel()


GUARDS: dict[str, Callable[[Work, float], Work]] = {
    "none": _none,
    "timeout": _timeout,
    "timeout_at": _timeout_at,
    "rescheduled": _rescheduled,
    "nested": _nested,
    "wait_for": _wait_for,
    "wait": _wait,
    "fail_after": _fail_after,
    "called": _called,
}


# --- what must be true --------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What came of scenarios."""

    counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)  # cause -> real milliseconds for which time stood
    stories: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"counts": self.counts, "kinds": self.kinds, "waits": self.waits, "stories": self.stories}

    def fail(self, sort: str, scenario: Scenario, text: str) -> None:
        """Note a failure; a few are told."""
        self.counts[sort] += 1
        if len(self.stories) < 10:
            self.stories.append(f"{sort}: {text}\n{scenario.told()}")


def is_real(kind: str) -> bool:
    """Tell whether something outside of the loop is under way in an operation."""
    return kind not in names(operations.VIRTUAL)


async def act(place: Place, clock: FakeClock, action: Action) -> tuple[str, str] | None:
    """Do one thing; return what is wrong: the sort of failure, and a text."""
    limited = action.guard != "none"
    ends = limited and action.think > action.limit
    want = action.limit if ends else action.think
    before, timed_out = clock.elapsed, False
    try:
        await GUARDS[action.guard](OPERATIONS[action.kind](place, action), action.limit)
    except TimeoutError:
        timed_out = True
    except Wrong as wrong:
        return "inexact", str(wrong)
    took = round(clock.elapsed - before, 9)
    told = f"after {took!r} virtual seconds instead of {round(want, 9)!r}"
    if timed_out and not ends:
        return "early", f"a timeout of {action.limit:g} s fired {told}"
    if ends and not timed_out:
        return "late", f"a timeout of {action.limit:g} s did not fire; it ended {told}"
    if took != round(want, 9):
        return ("moved" if is_real(action.kind) else "inexact"), f"it ended {told}"
    return None


async def run(place: Place, clock: FakeClock, scenario: Scenario, tally: Tally) -> None:
    """Run a scenario, and note what is wrong."""

    async def do(actions: tuple[Action, ...]) -> None:
        for action in actions:
            try:
                wrong = await act(place, clock, action)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is told with the seed
                wrong = "error", f"{type(error).__name__}: {error}"
            tally.counts["operations" if is_real(action.kind) else "timers"] += 1
            tally.counts["timeouts"] += action.guard != "none"
            tally.kinds[action.kind] += 1
            if wrong is not None:
                tally.kinds[f"{action.kind} failed"] += 1
                tally.fail(wrong[0], scenario, f"{wrong[1]} in {action}")

    tally.counts["scenarios"] += 1
    await asyncio.gather(*map(do, scenario.tasks))
