"""What do all runs of one seed share that is nobody's doing: the chance and the clocks of their code?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pytest_taskleak.adapt.hermetic_chance import Chance
from pytest_taskleak.loops.schedule import WAKE, mix
from pytest_taskleak.storm.bound import Bound
from pytest_taskleak.storm.clocks import Clocks

CHANCE, DATE = WAKE + 1, WAKE + 2
"""What a seed chooses, beside what `loops.schedule` lets it."""


class World:
    """Chance and clocks of the code that runs on a simulated loop, as long as somebody wants it."""

    def __init__(self) -> None:
        self.users = 0
        self.chance, self.clocks, self.bound = Chance(), Clocks(), Bound()
        self._fixed = True

    def install(self) -> None:
        """Begin, for one more user."""
        self.users += 1
        if self.users > 1:
            return
        try:
            self.chance.start()
            for way in self.chance.ways():
                self.bound.put(*way)
            self.clocks.start(fixed=self._fixed)
            for way in self.clocks.ways():
                self.bound.put(*way)
            self.bound.spread()
        except BaseException:
            self.uninstall()
            raise

    def uninstall(self) -> None:
        """End, when the last user leaves."""
        self.users -= 1
        if not self.users:
            self.clocks.end()
            self.bound.take_back()
            self.chance.end()

    def begin(self, seed: int) -> None:
        """Begin anew, for a run.

        Parameters:
            seed: the run's.
        """
        if self.users:
            self.chance.begin(mix(seed, CHANCE))
            self.clocks.begin(mix(seed, DATE) if seed else 0)

    @contextlib.contextmanager
    def dated_as_outside(self) -> Iterator[None]:
        """Let the date begin with the real one meanwhile: part of what runs was made outside."""
        before, self._fixed = self._fixed, False
        try:
            yield
        finally:
            self._fixed = before


WORLD = World()
