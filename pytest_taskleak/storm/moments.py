"""At which moments can something be done to a service that is for one call or one connection of it alone?

A run without a trigger puts them down: the calls in which one of the service's own tasks could stop it, and
how long each connection of a client was open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A connection of a client, as long as it was open.

    Parameters:
        number: of the connection, by its beginning.
        ways: how its client can leave it, see `lines.WAYS`.
        first: the first point at which it was open.
        last: the last one; -1 where it was open at the end.
    """

    number: int
    ways: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Moments:
    """What a run has put down.

    Parameters:
        calls: in which a task of the service could have stopped it: dependency and number of the call.
        stops: whether there is a stop that a task of the service could call.
        inside: how often `env.stop()` was awaited.
        lines: the connections of clients.
        held: how many of them their clients have kept open, where clients never close.
    """

    calls: tuple[tuple[str, int], ...] = ()
    stops: bool = True
    inside: int = 0
    lines: tuple[Line, ...] = ()
    held: int = 0

    def leaving(self, points: int) -> Iterator[tuple[int, int, str]]:
        """Yield each moment at which a client can leave: point, connection and way; the first points first.

        Parameters:
            points: before this one all of them are.
        """
        yield from sorted(
            (point, line.number, way)
            for line in self.lines
            for point in range(line.first, (points if line.last < 0 else min(points, line.last + 1)))
            for way in line.ways
        )


NONE = Moments()
