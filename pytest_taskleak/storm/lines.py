"""How does a client leave in the middle of its connection, and which connections of clients are open?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.storm.moments import Line

GONE = "gone"
STREAM = ("half", "reset", "slow")
"""What a client can do to a stream."""
SLOW = 5.0
"""Virtual seconds for which a slow client reads nothing; then it goes on."""
WAYS = {
    GONE: "goes away",
    "half": "ends its half",
    "reset": "resets it",
    "slow": f"reads nothing for {SLOW:g} s",
}
"""Way -> what the client then does."""


@dataclass(slots=True)
class Open:
    """A connection of a client.

    Parameters:
        title: whose it is.
        ways: how its client can leave it.
        leave: lets it do so.
        first: the first point at which it is open.
        task: in which it was opened.
        last: the last one; -1 as long as it is open.
    """

    title: str
    ways: tuple[str, ...]
    leave: Callable[[str], object]
    first: int
    task: Any
    last: int = -1


class Lines:
    """The connections of the clients of one run.

    Parameters:
        loop: the simulated loop.
        struck: is told what the storm does.
    """

    def __init__(self, loop: Any, struck: Callable[[str], object]) -> None:
        self._loop, self._struck = loop, struck
        self.all: list[Open] = []
        self.slowed: set[Any] = set()
        """Tasks of clients that the storm has made slow."""
        self.slow_until = 0.0
        """The virtual time at which a slow client goes on."""
        self.held = 0
        """How many connections their clients have kept open that they would have closed."""

    def opened(self, title: str, ways: tuple[str, ...], leave: Callable[[str], object]) -> Callable[[], None]:
        """Note that a client has a connection; return what notes that it is over.

        Parameters:
            title: whose it is, for people.
            ways: how the client can leave it.
            leave: lets it do so in one of these ways.
        """
        task = asyncio.current_task(self._loop)
        line = Open(title, ways, leave, self._point(), task)
        self.all.append(line)

        def over() -> None:
            if line.last < 0:
                line.last = self._point() - 1

        return over

    def leave(self, number: int, way: str) -> bool:
        """Let a client leave; return whether its connection was open.

        Parameters:
            number: of the connection, by its beginning.
            way: one of those that it has.
        """
        line = self.all[number] if 0 <= number < len(self.all) else None
        if line is None or line.last >= 0 or way not in line.ways:
            return False
        self._struck(f"{line.title} {WAYS[way]}, before point {self._point()}")
        if way == "slow":
            self.slowed.add(line.task)
            self.slow_until = self._loop.time() + SLOW
        line.leave(way)
        return True

    def keep(self) -> None:
        """Note that a client keeps its connection open."""
        self.held += 1

    def forget(self) -> None:
        """Keep no more of each than how long it was open."""
        self.slowed.clear()
        for line in self.all:
            line.leave, line.task = len, None

    def moments(self) -> tuple[Line, ...]:
        """Return how long each was open."""
        return tuple(Line(number, line.ways, line.first, line.last) for number, line in enumerate(self.all))

    def _point(self) -> int:
        """Return the next point; in real time there are none."""
        return int(getattr(self._loop, "point", 0))
