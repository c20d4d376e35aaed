"""Does a service do in a later cycle what it did in its first one?

The ledger tells it; where a service tells what is done by `done`, the same items may come anew, and one that
keeps them by their key stores nothing more.  So it is idle only if it also calls nothing and runs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from pytest_taskleak.storm.env import Env

Told = Callable[[Any], Iterable[Any]]


class Work:
    """What is done in each cycle.

    Parameters:
        done: returns the items that are done, from the service; `None` where the ledger is told.
        crashes: whether a dependency fails in the first cycle, so that it may do nothing.
    """

    def __init__(self, done: Told | None, *, crashes: bool) -> None:
        self.done = done
        self.crashes = crashes
        self.worked = self.finished = False
        self.alive: list[int] = []
        self._calls: list[int] = []
        self._before: dict[str, int] = {}
        self._known: Counter[Any] = Counter()

    def begins(self, env: Env, service: Any) -> None:
        """Note where a cycle begins: the service has started, and has no work yet."""
        self._before = dict(env.depended)
        if self.done is not None:
            self._known = Counter(self.done(service))

    def loaded(self, env: Env, alive: int) -> None:
        """Note what there is when a cycle has had its load: calls of dependencies, and `alive` tasks."""
        self.alive.append(alive)
        calls = 0
        for name, number in env.depended.items():
            before = self._before.get(name, 0)
            calls += number - before if number >= before else number  # a new service counts anew
        self._calls.append(calls)

    def ends(self, env: Env, service: Any) -> None:
        """Enter into the ledger what the service has done in this cycle."""
        if self.done is not None and service is not None:
            for item in (Counter(self.done(service)) - self._known).elements():
                env.finish(item)

    def wrong(self, env: Env, number: int) -> tuple[str, str] | None:
        """Return what is wrong with a cycle, and where; `None` if nothing is.

        Parameters:
            env: of the run.
            number: of the cycle, from 0.
        """
        book = env.ledger
        items = book.accepted
        finished = any(item in book.finished for item in items)
        done = finished or any(item in book.dropped for item in items)
        self.finished = self.finished or finished
        self.worked = self.worked or done or (self.crashes and self.done is None)
        if not number:
            return None
        if self.finished and items and all(item in book.dropped for item in items) and not finished:
            return f"cycle {number + 1} drops all of its {len(items)} items: it takes nothing on", "work"
        if self.worked and items and not done and not (self.done is not None and self._busy()):
            return f"cycle {number + 1} does none of its {len(items)} items: it starts nothing", "work"
        if not items and self.alive[0] and not self.alive[-1]:
            return f"cycle {number + 1} runs nothing, while the first one ran tasks: {self.alive[0]}", "start"
        return None

    def _busy(self) -> bool:
        """Tell whether the last cycle shows no sign of being idle, beside that nothing more is done."""
        calls_none = bool(self._calls[0]) and not self._calls[-1]
        runs_none = bool(self.alive[0]) and not self.alive[-1]
        return not (calls_none or runs_none)
