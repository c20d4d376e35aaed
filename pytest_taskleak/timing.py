"""Which clock and which sleep does the watcher itself use?

Test suites freeze and fake time.  The functions are therefore bound as default arguments,
where replacing a module's attributes (freezegun, monkeypatch) cannot reach them.
"""

import time
from collections.abc import Callable, Iterator

FIRST_PAUSE = 0.0005
LONGEST_PAUSE = 0.02
NOTHING = 1e-9
"""Seconds below which a rest of rounding is no time."""


def now(_clock: Callable[[], float] = time.monotonic) -> float:
    """Return seconds of a clock that no mock bends."""
    return _clock()


def pause(seconds: float, _sleep: Callable[[float], None] = time.sleep) -> None:
    """Let `seconds` of real time pass."""
    _sleep(seconds)


def backoff(budget: float) -> Iterator[float]:
    """Yield doubling pauses in seconds whose sum is at most `budget`.

    The schedule is counted, not measured, so that a frozen clock cannot make it endless.
    """
    step = FIRST_PAUSE
    while budget > NOTHING:
        yield min(step, budget)
        budget -= step
        step = min(step * 2, LONGEST_PAUSE)
