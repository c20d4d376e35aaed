"""In which order does that happen for which asyncio promises none?

Each choice is a function of the seed and of what is chosen among, never of a stream of random numbers: a task
more elsewhere does not reshuffle the rest, and a failing schedule can be shrunk by leaving choices out.

The order of `call_soon` is promised, and so is that `sleep(0)` lets what is ready run; neither is ever
touched.  Level `arrival` moves what a stock loop may do as well: the order of events within one look at the
selector, that of timers due at the same time, whether a timer waits for one that is due within a millisecond
after it, and when a call in a pool comes back.  Level `wake` moves, besides, tasks that are woken as
neighbours in one turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Thing = TypeVar("Thing")

EVENT, TIE, LATE, BACK, BACK_ORDER, WAKE = range(1, 7)
"""What is chosen; a choice of one sort says nothing of one of another."""
LATENESS = 1e-3
"""Seconds by which a timer may come late, as in life, so that it comes together with the next one."""
ONE_IN = 4
"""Of so many timers that could come late one does."""
LATEST_TURN = 3
"""Turns after which a call in a pool is back at the latest, unless it comes when the loop rests."""

_MASK = (1 << 64) - 1


def mix(seed: int, *parts: int) -> int:
    """Return 64 bits that depend on every bit of what is given, the same in every process.

    The steps are those of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom generators, 2014).
    """
    state = 0
    for part in (seed, *parts):
        state = (state ^ (part & _MASK)) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


class Schedule:
    """The orders that a seed chooses.

    Parameters:
        seed: which; `None` keeps every order as it is.
        level: `arrival` or `wake`.
    """

    def __init__(self, seed: int | None, level: str = "arrival") -> None:
        self.seed = seed
        self.level = level
        self.chooses = seed is not None
        self.wakes = self.chooses and level == "wake"
        self._seed = mix(seed or 0, (seed or 0) >> 64)

    def __repr__(self) -> str:
        return f"Schedule(seed={self.seed}, level={self.level!r})"

    def events(self, turn: int, found: Sequence[Thing], places: Callable[[Thing], int]) -> list[Thing]:
        """Return the events of one look at the selector in another order.

        Parameters:
            turn: which turn of the loop.
            found: the events, as the selector tells them.
            places: returns the place of an event among all that is listened to.
        """
        return sorted(found, key=lambda event: mix(self._seed, EVENT, turn, places(event)))

    def ties(self, when: int, timers: list[Thing]) -> list[Thing]:
        """Return timers that are due at the same time in another order.

        Parameters:
            when: that time.
            timers: they, in the order in which they were made.
        """
        order = sorted(range(len(timers)), key=lambda place: mix(self._seed, TIE, when, place))
        return [timers[place] for place in order]

    def late(self, when: int) -> bool:
        """Tell whether what is due then waits for what is due within `LATENESS` after it."""
        return self.chooses and mix(self._seed, LATE, when) % ONE_IN == 0

    def back(self, number: int) -> int | None:
        """Return how many turns after it began a call in a pool comes back; `None`: when the loop rests.

        Parameters:
            number: which call of the loop it is.
        """
        chosen = mix(self._seed, BACK, number) % (LATEST_TURN + 1)
        return chosen or None

    def back_order(self, number: int) -> int:
        """Return what sorts calls in a pool that come back at once."""
        return mix(self._seed, BACK_ORDER, number)

    def woken(self, batch: list[Any], steps: Sequence[tuple[int, int] | None]) -> list[Any] | None:
        """Return what is ready with its woken tasks in another order; `None` if nothing moves.

        Parameters:
            batch: what is ready.
            steps: for each the number of the task that is woken and of its waking; `None` for what does not
                move, and past which nothing moves.
        """
        result: list[Any] | None = None
        start, count = 0, len(batch)
        while start < count:
            if steps[start] is None:
                start += 1
                continue
            end = start
            while end < count and steps[end] is not None:
                end += 1
            if end - start > 1:
                result = batch[:] if result is None else result
                order = sorted(
                    range(start, end), key=lambda place: mix(self._seed, WAKE, *(steps[place] or ()))
                )
                result[start:end] = [batch[place] for place in order]
            start = end
        return result
