"""Is anything at work outside of the loops, so that time must stand?

Threads, pools, child processes and connections are asked in turn; the first that is at work is the answer.
"""

from __future__ import annotations

from typing import Protocol

from pytest_taskleak.adapt import cpu_time, signals, wires
from pytest_taskleak.loops.children import Children
from pytest_taskleak.loops.connections import Connections
from pytest_taskleak.loops.pools import Pools
from pytest_taskleak.loops.threads import Threads
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait


class Source(Protocol):
    """One sort of work outside of the loops."""

    def install(self, time: VirtualTime) -> None:
        """Begin to see such work; what is there already is older than the clock."""
        ...

    def uninstall(self) -> None:
        """Put everything back."""
        ...

    def quiet(self) -> bool:
        """Tell at once whether there certainly is none; `False` says nothing."""
        ...

    def look(self, time: VirtualTime) -> Wait | None:
        """Return some that is under way, `None` if there is none."""
        ...

    def hope(self, time: VirtualTime) -> Wait | None:
        """Return what may still bring something when nobody waits for a time, `None` if there is nothing."""
        ...


class External:
    """Everything outside of the loops."""

    def __init__(self) -> None:
        self.pools = Pools()
        self.threads = Threads(self.pools)
        self.children = Children()
        self.connections = Connections()
        self.sources: tuple[Source, ...] = (self.pools, self.threads, self.children, self.connections)

    def install(self, time: VirtualTime) -> None:
        """Begin to look."""
        for source in self.sources:
            source.install(time)

    def uninstall(self) -> None:
        """Put everything back."""
        for source in reversed(self.sources):
            source.uninstall()

    def quiet(self) -> bool:
        """Tell at once whether certainly nothing is at work; `False` says nothing."""
        return (
            self.threads.quiet() and self.connections.quiet() and self.pools.quiet() and self.children.quiet()
        )

    def look(self, time: VirtualTime) -> Wait | None:
        """Return something that is at work, `None` if there is nothing."""
        for source in self.sources:
            found = source.look(time)
            if found is not None:
                return found
        return self._signal(time) if len(time.participants) > 1 else None

    @staticmethod
    def _signal(time: VirtualTime) -> Wait | None:
        """Return a signal that a loop handles and that its thread has not taken yet, `None` without one.

        Between its taking and the note of it in the loop's own socket, the thread is awake.
        """
        for each in time.participants:
            loop = getattr(each, "loop", None)
            handled = wires.signals_of(loop) if loop is not None else []
            if not handled:
                continue
            if signals.on_their_way(handled) or not cpu_time.is_asleep(each.ident):
                return Wait("loop", "a signal is on its way", time.settings.hang_after)
        return None

    def hope(self, time: VirtualTime) -> Wait | None:
        """Return what may still bring something when nobody waits for a time, `None` if there is nothing."""
        for source in self.sources:
            found = source.hope(time)
            if found is not None:
                return found
        return None
