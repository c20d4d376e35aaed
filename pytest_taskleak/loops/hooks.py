"""How is a stock loop driven while it turns by itself?

`select` with a timeout other than 0 is called only when the loop has nothing to run: that is the one place
where time may move.
"""

from __future__ import annotations

import math
import threading
from typing import Any

from pytest_taskleak.adapt import stepping, turning
from pytest_taskleak.adapt.stepping import BUSY, POLL_MASK
from pytest_taskleak.adapt.wires import TRAFFIC
from pytest_taskleak.loops.creeping import CREEP_TURNS, MOST_BUSY, creep
from pytest_taskleak.loops.driver import Driver
from pytest_taskleak.loops.handles import TIES
from pytest_taskleak.loops.moment import COARSE, grain
from pytest_taskleak.loops.patience import Patience
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.virtual import VirtualTime

RESOLUTION = 1e-9
MOST_WAKES = 5_000
"""How often something may come in at one time, before time creeps."""
WAKES = 10
"""How often something comes in, from then on, while time creeps once: about what it costs."""


class SelectorDriver(Driver):
    """Drives a stock loop by its selector.

    Parameters: see `Driver`.
    """

    def __init__(self, loop: Any, time: VirtualTime) -> None:
        super().__init__(loop, time)
        self.selector = turning.selector_of(loop)
        self.ready = turning.ready_of(loop)
        self.busy = 0
        self.patience = Patience(time, self)
        self.events: list[Any] = []
        self.instant, self.wakes = time.now, 0  # how often something came in at that time
        self.own_fd = turning.own_fd(loop)
        self._select = self.selector.select
        self._replaced: Any = turning.ABSENT
        self._resolution = 0.0
        self._quick = turning.quick_poll(self.selector)
        self.fds: Any = ()
        self.signals: Any = ()

    def attach(self) -> None:
        super().attach()
        TIES.install()
        self._replaced = turning.instance_attribute(self.selector, "select")
        self._select = self.selector.select
        self.fds, self.signals = stepping.descriptors(self.loop), stepping.signal_handlers(self.loop)
        self._hook = self._make_hook()
        self.selector.select = self._hook
        self._resolution = turning.set_resolution(self.loop, RESOLUTION)
        self.time.coarse.append(self._coarse)
        if self.time.now >= COARSE:
            self._coarse(self.time.now)

    def detach(self) -> None:
        TIES.uninstall()
        turning.restore(self.selector, "select", self._hook, self._replaced)
        self.time.coarse.remove(self._coarse)
        now = self.time.now + self.offset
        turning.set_resolution(self.loop, max(self._resolution, 2 * math.ulp(now) if now >= COARSE else 0.0))
        super().detach()

    def _closes(self) -> Any:
        """Return the selector: attributes of a loop are slower for each one that it is given."""
        return self.selector

    def _coarse(self, now: float) -> None:
        """Let timers count as due although floats of this size do not tell a nanosecond apart."""
        turning.set_resolution(self.loop, grain(now + self.offset))

    def _make_hook(self) -> Any:
        loop, ready, poll, time = self.loop, self.ready, self.poll, self.time
        fds, signals, easy, move = self.fds, self.signals, time.easy, time.move
        first, is_stopping, lateness = turning.prune, turning.is_stopping, time.settings.lateness
        turns = 0

        def hook(timeout: float | None = None) -> list[Any]:
            nonlocal turns
            turns += 1
            looks = len(fds) > 1 or signals or not turns & POLL_MASK
            if timeout is not None and timeout <= 0 and (ready or is_stopping(loop)):
                self.busy = busy = self.busy + 1
                if busy >= BUSY:
                    self.tired()
                return poll() if looks else []
            self.busy = 0
            when = first(loop)
            calm = when is not None and easy()  # before the look: what is at work may send something and end
            if looks:
                events = poll()
                if events:
                    return events
            if when is not None and calm:
                if not ready:  # no other thread has called call_soon_threadsafe meanwhile
                    move(when - self.offset + lateness)
                return []
            if ready:
                return []
            return (not looks and poll()) or self.rest()

        return hook

    def poll(self) -> list[Any]:
        """Return what has come in by now."""
        quick = self._quick
        if quick is not None and not quick():
            return []
        events: list[Any] = self._select(0)
        if events:
            self._active(events)
        return events

    def rest(self) -> list[Any]:
        """Rest until there is something to do, and return what came in meanwhile."""
        self.time.rest(self, self._wait)
        events, self.events = self.events, []
        return events

    def tired(self) -> None:
        """Let time creep now and then in a loop that has not rested for long."""
        if not self.busy % CREEP_TURNS:
            in_vain = self.busy >= MOST_BUSY
            self.busy *= not in_vain
            creep(self.patience, in_vain=in_vain)

    def _active(self, events: list[Any]) -> None:
        """Note that something came in; let time creep where that goes on and on at one time.

        Somebody may try again and again over a connection within this process, which is never at rest.
        """
        self.busy = 0
        TRAFFIC.came(events, self.own_fd)
        if self.time.now != self.instant:
            self.instant, self.wakes = self.time.now, 0
        self.wakes += 1
        if self.wakes >= MOST_WAKES and not self.wakes % WAKES:
            creep(self.patience, in_vain=False)
            self.instant = self.time.now

    def _wait(self, seconds: float) -> bool:
        """Wait in real time for events."""
        events = self._select(seconds)
        if events:
            self.events = events
            self._active(events)
        return bool(events or self.ready)

    def raise_next(self, error: BaseException) -> None:
        def select(timeout: float | None = None) -> list[Any]:  # noqa: ARG001 -- the loop gives it
            self.selector.select = self._hook
            raise error

        turning.unstop(self.loop)
        self.selector.select = select

    # --- as a participant -----------------------------------------------------------------------

    def due(self) -> float:
        own = threading.get_ident() == self.ident
        when = turning.prune(self.loop) if own else turning.first_due(self.loop)
        return NEVER if when is None else when - self.offset

    def stirs(self) -> bool:
        return bool(self.ready) or self._pollable()

    def _pollable(self) -> bool:
        if self._quick is not None:
            return self._quick()
        return bool(self._select(0))

    def wake(self) -> None:
        turning.wake(self.loop)
