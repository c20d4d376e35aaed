"""How are leftovers removed within bounds, so that one leak cannot spoil the next test?"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.engine.settle import (
    FIRST_TURNS,
    NEXT_TURNS,
    Budget,
    Leftover,
    Live,
    settle,
    settle_here,
)

BOUND = 0.5
"""Seconds that a cancelled leftover gets on a loop that lives on."""
SLOW = 1.0
"""Seconds after which a task that was cancelled counts as resisting."""
CLOSE_BOUND = 5.0
"""Seconds that cancelled tasks get when their loop closes; asyncio itself would wait for ever."""

_kept: list[Any] = []


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


def reap(left: Sequence[Leftover], bound: float = BOUND) -> list[Leftover]:
    """Remove leftovers; return those that could not be removed."""
    settle(_still(ask(left)), Budget(bound), hope=False)
    settle(_still(insist(left)), Budget(bound), hope=False)
    return [item for item in left if item.detector.alive(item.thing)]


async def reap_here(left: Sequence[Leftover], bound: float = BOUND) -> list[Leftover]:
    """Do the same from inside the running loop."""
    await settle_here(_still(ask(left)), Budget(bound), hope=False)
    await settle_here(_still(insist(left)), Budget(bound), hope=False)
    return [item for item in left if item.detector.alive(item.thing)]


def _still(waiting: Sequence[Leftover]) -> Live:
    return lambda: [item for item in waiting if item.detector.alive(item.thing)]


def cancel_all(loop: Any, tasks: Sequence[Any], *, told: bool = False) -> list[Any]:
    """Cancel tasks as `asyncio.run` does when it ends, but within bounds; return those that resist.

    Like the original, exceptions that come up meanwhile go to the loop's exception handler.

    Parameters:
        told: all of them are known to resist: do not wait for them once more.
    """
    for task in tasks:
        task.cancel()
    turns = FIRST_TURNS
    while turns and not all(task.done() for task in tasks):
        asyncio_.turn(loop)
        turns -= 1
    asyncio_.turn(loop)  # for the callbacks of those that ended last
    run_until_done(loop, tasks, BOUND if told else SLOW)
    resisting = [task for task in tasks if not task.done()]
    if resisting and not told:
        run_until_done(loop, resisting, CLOSE_BOUND - SLOW)
    for task in tasks:
        if not task.done():
            abandon(task)
        elif not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception during asyncio.run() shutdown",
                    "exception": task.exception(),
                    "task": task,
                }
            )
    return resisting


def run_until_done(loop: Any, tasks: Sequence[Any], bound: float) -> None:
    """Run an idle loop until its tasks are done, or the bound in seconds is over."""
    for pause in timing.backoff(bound):
        if all(task.done() for task in tasks):
            return
        timing.pause(pause)
        asyncio_.turn(loop, NEXT_TURNS)


def abandon(task: Any) -> None:
    """Give up a task that ignores cancellation, without letting it be destroyed.

    A coroutine that swallows everything spins for ever when the collector closes it, so it is made
    immortal: one reference more than there are owners.
    """
    asyncio_.lost_sight(task)
    try:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))
    except (AttributeError, ValueError):  # no C API to call on this interpreter
        _kept.append(task)
