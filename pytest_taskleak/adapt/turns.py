"""How does one turn of a stock loop go, in a function of our own?

The turn does what `BaseEventLoop._run_once` of CPython 3.11 to 3.15 does, in the same order; only `select` is
left out where it could bring nothing, and waiting is somebody else's.
"""

from __future__ import annotations

import heapq
import math
from asyncio import base_events
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import turning
from pytest_taskleak.adapt.stepping import BUSY, POLL_MASK
from pytest_taskleak.timing import now as real_now

_base: Any = base_events
_Loop: Any = base_events.BaseEventLoop
LOGGER = _base.logger


def overridden(loop: Any) -> bool:
    """Tell whether a loop turns in a way of its own."""
    return getattr(loop._run_once, "__func__", None) is not _Loop._run_once


def drop_cancelled(loop: Any) -> Any:
    """Drop cancelled timers as the stock loop does: all when they are many, else those at the head."""
    heap = loop._scheduled
    count = len(heap)
    least = _base._MIN_SCHEDULED_TIMER_HANDLES
    fraction = _base._MIN_CANCELLED_TIMER_HANDLES_FRACTION
    if count > least and loop._timer_cancelled_count / count > fraction:
        kept = []
        for handle in heap:
            if handle._cancelled:
                handle._scheduled = False
            else:
                kept.append(handle)
        heapq.heapify(kept)
        loop._scheduled = kept
        loop._timer_cancelled_count = 0
        return kept
    turning.prune(loop)
    return heap


def second_due(loop: Any) -> float:
    """Return when the timer after the next one of a loop is due, `inf` without one that is armed."""
    second = loop._scheduled[1:3]
    return min((handle._when for handle in second if not handle._cancelled), default=math.inf)


def run_slowly(loop: Any, handle: Any) -> None:
    """Run one callback in debug mode; one that blocks is slow by the real clock, too."""
    try:
        loop._current_handle = handle
        began, really = loop.time(), real_now()
        handle._run()
        took = max(loop.time() - began, real_now() - really)
        if took >= loop.slow_callback_duration:
            LOGGER.warning("Executing %s took %.3f seconds", _base._format_handle(handle), took)
    finally:
        loop._current_handle = None


def set_turn(loop: Any, turn: Callable[[], None]) -> None:
    """Let a loop turn by a function from its next turn on."""
    loop._run_once = turn


def plain_turn(driver: Any) -> Callable[[], None]:
    """Return one turn of a loop, in place of its `_run_once`.

    Parameters:
        driver: see `StepDriver`.
    """
    loop, ready, time = driver.loop, driver.ready, driver.time
    popleft, append, pop = ready.popleft, ready.append, heapq.heappop
    fds, signals = driver.fds, driver.signals
    easy, move, lateness = time.easy, time.move, time.settings.lateness
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        heap = drop_cancelled(loop) if loop._timer_cancelled_count else loop._scheduled
        looks = len(fds) > 1 or signals or not turns & POLL_MASK
        if ready or loop._stopping:
            driver.busy = busy = driver.busy + 1
            if busy >= BUSY:
                driver.tired()
            if looks:
                loop._process_events(driver.poll())
        else:
            driver.busy = 0
            calm = heap and not heap[0]._cancelled and easy()  # before the look, as what is at work may end
            found = driver.poll() if looks else None
            if not found and not ready:
                if calm:
                    move(heap[0]._when - driver.offset + lateness)
                else:
                    found = (not looks and driver.poll()) or driver.rest()
            if found:
                loop._process_events(found)
        heap = loop._scheduled
        if heap:
            end = loop.time() + loop._clock_resolution
            while heap:
                handle = heap[0]
                if handle._when >= end:
                    break
                handle = pop(heap)
                handle._scheduled = False
                append(handle)
        run = run_slowly if loop._debug else None
        for _ in range(len(ready)):
            handle = popleft()
            if handle._cancelled:
                continue
            if run is None:
                handle._run()
            else:
                run(loop, handle)
        handle = None  # no cycle when an exception comes up

    return turn
