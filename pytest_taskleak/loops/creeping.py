"""How does time pass for a loop that never comes to rest?"""

from __future__ import annotations

from pytest_taskleak.loops.patience import Patience
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.wait import Wait

CREEP_TURNS = 100
"""Turns between two looks at a loop that is busy."""
CREEP = 1e-5
"""Seconds by which time creeps in each turn of a busy loop: about what a turn costs."""
MOST_BUSY = 1_000_000
"""Turns without a rest after which that is an error."""
LIVELOCK = (
    f"a loop never comes to rest: in {MOST_BUSY:,} turns there was always something to run, and nothing came "
    "in. Somebody waits by running again and again, as `while not done: await asyncio.sleep(0)`: "
    "let it wait for an Event, or sleep for some time."
)


def creep(patience: Patience, *, in_vain: bool) -> None:
    """Let time creep, as it would in life.

    Parameters:
        patience: that of the loop.
        in_vain: it has gone on for so long that it never ends.

    Raises:
        FakeClockError: that is so, and there is no task through which it could be told.
    """
    time, me = patience.time, patience.me
    with time.lock:
        if time.real_since is not None:
            return
        why = patience.stand(time.standing(me))
        patience.since = None  # the loop runs meanwhile, it does not wait
        if why is not None:
            return
        if in_vain:
            time.verdict(time, Wait("livelock", LIVELOCK))
        due = time.due()
        if time.free and due < NEVER:
            time.stats.busy_turns += CREEP_TURNS
            time.move(min(time.now + CREEP * CREEP_TURNS, max(due, time.now)))
            time.wake_due(me)
