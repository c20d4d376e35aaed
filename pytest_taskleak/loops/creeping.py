"""How does time pass for a loop that never comes to rest?"""

from __future__ import annotations

from pytest_taskleak.loops.hooks import CREEP, CREEP_TURNS, LIVELOCK
from pytest_taskleak.loops.patience import Patience
from pytest_taskleak.loops.virtual import NEVER
from pytest_taskleak.loops.wait import Wait


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
