"""How are leftovers removed within bounds, so that one leak cannot spoil the next test?

All are asked to end, and get a bounded time.  Those that are left are asked once more, and it is looked
at what they do about it.  What is left then is abandoned, and told with what was seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.cancelling import cancel
from pytest_taskleak.adapt.immortal import immortal
from pytest_taskleak.engine.outcome import Outcome
from pytest_taskleak.engine.reaping import Reaping
from pytest_taskleak.engine.settle import (
    FIRST_TURNS,
    NEXT_TURNS,
    Budget,
    Leftover,
    Live,
    settle,
    settle_here,
    turn,
)
from pytest_taskleak.engine.told import Told

BOUND = 0.5
"""Seconds that a leftover gets each time it is asked to end, on a loop that lives on."""
SLOW = 1.0
"""Seconds after which a task that was cancelled when its loop closes counts as resisting."""
CLOSE_BOUND = 5.0
"""Seconds that cancelled tasks get when their loop closes; asyncio itself would wait for ever."""

_given_up = Told()
"""The tasks that were abandoned: nobody waits for them again."""


def ask(left: Sequence[Leftover]) -> list[Leftover]:
    """Ask every leftover to end; return those that are worth waiting for."""
    return [item for item in left if _done(item.detector.remove, item.thing)]


def insist(left: Sequence[Leftover]) -> list[Leftover]:
    """Ask those that are still there once more; return those that are worth waiting for again."""
    return [x for x in left if x.detector.alive(x.thing) and _done(x.detector.insist, x.thing)]


def _done(how: Callable[[Any], bool], thing: Any) -> bool:
    try:
        return bool(how(thing))
    except Exception:  # noqa: BLE001 -- a resource of the user may do anything when told to end
        return False


def reap(left: Sequence[Leftover], bound: float | None = None) -> Outcome:
    """Remove leftovers from outside any running loop; return what became of them.

    Parameters:
        left: what is to be removed.
        bound: seconds that they get each time they are asked, `BOUND` unless given.
    """
    bound = BOUND if bound is None else bound
    reaping = Reaping(tasks_of(left))
    with reaping.guarded():
        waiting = ask(left)
        for turns in draining(left):
            turn(left, turns)
        settle(_still(waiting), Budget(bound), hope=False)
    with reaping.again():
        settle(_still(insist(left)), Budget(bound), hope=False)
    return reaping.outcome(left, bound)


async def reap_here(left: Sequence[Leftover], bound: float | None = None) -> Outcome:
    """Do the same from inside the running loop."""
    bound = BOUND if bound is None else bound
    reaping = Reaping(tasks_of(left))
    with reaping.guarded():
        waiting = ask(left)
        for turns in draining(left):
            turn(left, turns)
            for _ in range(turns):
                await asyncio_.one_turn()
        await settle_here(_still(waiting), Budget(bound), hope=False)
    with reaping.again():
        await settle_here(_still(insist(left)), Budget(bound), hope=False)
    return reaping.outcome(left, bound)


def remove(left: Sequence[Leftover], how: Callable[[Sequence[Leftover]], Outcome]) -> Outcome:
    """Remove leftovers, then those of their parts that did not end with them; abandon what is stuck."""
    outcome = how(left) if left else Outcome()
    parts = [part for item in left for part in item.parts if part.detector.alive(part.thing)]
    if parts:
        outcome = outcome.then(how(parts))
    for task in tasks_of(left):
        if outcome.fates.get(id(task)) == "stuck" and not task.done():
            abandon(task)
    return outcome


def tasks_of(left: Sequence[Leftover]) -> list[Any]:
    """Return the tasks among leftovers and their parts that a loop could still end."""
    items = [x for item in left for x in (item, *item.parts) if x.detector.kind == "task"]
    return [x.thing for x in items if not x.thing.done() and not asyncio_.loop_of(x.thing).is_closed()]


def _still(waiting: Sequence[Leftover]) -> Live:
    return lambda: [item for item in waiting if item.detector.alive(item.thing)]


def draining(left: Sequence[Leftover]) -> Iterator[int]:
    """Yield how many turns to give, as long as each burst of them ends some task.

    A chain of n tasks that await each other needs n + 1 turns, however long it is.
    """
    return bursts(tasks_of(left))


def bursts(tasks: Sequence[Any]) -> Iterator[int]:
    """Do the same for plain tasks."""
    before = len(tasks)
    pending = [task for task in tasks if not task.done()]
    while pending:
        yield FIRST_TURNS
        pending = [task for task in pending if not task.done()]
        if len(pending) >= before:
            return
        before = len(pending)


def cancel_all(loop: Any, tasks: Sequence[Any], *, told: bool = False) -> Outcome:
    """Cancel tasks as `asyncio.run` does when it ends, but within bounds; return what became of them.

    Like the original, exceptions that come up meanwhile go to the loop's exception handler.  A task that
    cleans up has all of the bound.  One that waits again where it stood before is asked again earlier.

    Parameters:
        told: all of them are known to resist: do not ask them once more.
    """
    reaping = Reaping(tasks)
    with reaping.guarded():
        request(tasks)
        for turns in bursts(tasks):
            asyncio_.turn(loop, turns)
        asyncio_.turn(loop)  # for the callbacks of those that ended last
        run_until_done(loop, [task for task in tasks if task not in _given_up], BOUND if told else SLOW)
    slow: set[int] = set()
    if not told and not all(task.done() for task in tasks):
        late = [task for task in tasks if not task.done()]
        cleaning = [task for task in late if not reaping.went_back(task)]
        slow = {id(task) for task in cleaning}
        with reaping.guarded():
            run_until_done(loop, cleaning, CLOSE_BOUND - SLOW - BOUND)
        with reaping.again() as rest:
            request(rest)
            run_until_done(loop, rest, BOUND)
        reaping.late = late
    outcome = reaping.outcome((), 0.0)
    outcome.resisting = {id(task) for task in reaping.resisting()}
    for task in reaping.resisting():
        seconds = CLOSE_BOUND if id(task) in slow else SLOW + BOUND
        outcome.evidence[id(task)] = reaping.resistance(task, SLOW, seconds)
    for task in tasks:
        if not task.done():
            abandon(task)
        elif outcome.fates.get(id(task)) == "errors":
            loop.call_exception_handler(
                {
                    "message": "unhandled exception during asyncio.run() shutdown",
                    "exception": task.exception(),
                    "task": task,
                }
            )
    return outcome


def request(tasks: Sequence[Any]) -> None:
    """Cancel tasks; what one of them makes of that does not keep the others from being asked."""
    asked: set[int] = set()
    for task in tasks:
        with contextlib.suppress(Exception):  # a future of the user may do anything when it is cancelled
            cancel(task, asked)


def run_until_done(loop: Any, tasks: Sequence[Any], bound: float) -> None:
    """Run an idle loop until its tasks are done, or the bound in seconds is over."""
    for pause in timing.backoff(bound):
        if all(task.done() for task in tasks):
            return
        timing.pause(pause)
        asyncio_.turn(loop, NEXT_TURNS)


def abandon(task: Any) -> None:
    """Give up a task that ignores cancellation, without letting it be destroyed."""
    if task not in _given_up:
        _given_up.add(task)
        immortal(task)
