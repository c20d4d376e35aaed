"""Is something on its way over a socket or a pipe, so that time must stand?

What is sent within this process has arrived when the call returns, on Linux; where the system still has
it in its hands, that is read from its own counts.  An answer from outside may come at any time, so after
each burst of traffic with somebody outside there is one wait in real time, and then none until new traffic.
"""

from __future__ import annotations

import threading
from typing import Any

from pytest_taskleak.adapt import wires
from pytest_taskleak.adapt.wires import TRAFFIC
from pytest_taskleak.loops import descriptors
from pytest_taskleak.loops.peers import INSIDE, LISTENER, OUTSIDE, Peers, Wire
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait
from pytest_taskleak.timing import now as real_now

VAGUE = 0.002
"""Real seconds for what is on its way within this process, where the system does not count it."""
NO_COUNTS = -2
"""In place of the other end: nothing tells whether something is on its way there."""
EXACT = 1.5
"""Real seconds where it does: a connection that found a full queue is tried again after one."""
LISTENING = 0.3
"""Real seconds for somebody to connect when nothing else can happen."""
LONGEST_PAUSE = 0.05
SLICE = 0.05
"""Real seconds more for an answer, for each further thread that wants every processor of the machine."""
MOST_SLICES = 3.0
"""How many times `io_grace` that may be."""
FROZEN_PAUSE = 0.02


class Connections:
    """The sockets and pipes that the loops under a virtual time wait for."""

    def __init__(self) -> None:
        self.peers = Peers(TRAFFIC)
        self.moving: dict[int, int] = {}  # a TCP socket that may have bytes on their way -> its partner
        self.moving_since = 0.0
        self.since: float | None = None  # the real time since when an answer may come
        self.patience = 0.0  # for how long
        self.why = ""
        self.told: dict[int, int] = {}  # with `strict`: ident of a thread -> how often it heard of this burst
        self.standing = False
        self._counts = False  # the system has counted something: its counts can be relied on
        self._time: VirtualTime | None = None
        self._crew = -1  # the one that was looked at last
        self._own: set[int] = set()
        self._patches = wires.Patches()

    def install(self, time: VirtualTime) -> None:
        """Begin to see traffic."""
        TRAFFIC.clear()
        self.peers = Peers(TRAFFIC)
        self._time, self._crew = time, -1
        self._end()
        self.moving.clear()
        wires.see_traffic(self._patches, TRAFFIC)

    def uninstall(self) -> None:
        """Put everything back."""
        self._patches.undo()
        self._time, self._crew = None, -1
        TRAFFIC.clear()

    def touch(self, fd: int) -> None:
        """Note traffic on a descriptor that nothing here can see, as that of a loop in C."""
        TRAFFIC.touched.add(fd)

    def quiet(self) -> bool:
        if TRAFFIC.touched or self.standing:
            return False
        return self._time is None or self._time.crew == self._crew

    def look(self, time: VirtualTime) -> Wait | None:
        fresh = TRAFFIC.take()
        if time.crew != self._crew:
            self._meet(time)
        elif not (fresh or time.settings.io == "freeze"):
            return self._verdict(time)
        self._survey(time, fresh)
        return self._verdict(time)

    def _verdict(self, time: VirtualTime) -> Wait | None:
        found = self._loopback() or self._outside(time)
        self.standing = found is not None or (time.settings.io == "freeze" and bool(self.peers.outside))
        return found

    def hope(self, time: VirtualTime) -> Wait | None:
        limit = time.settings.hang_after
        found = self.registered(time)
        known = [wire for fd, wire in list(self.peers.wires.items()) if fd in found]
        outside = [wire for wire in known if wire.where == OUTSIDE]
        if outside:
            return Wait("peer", may_come(outside), limit, FROZEN_PAUSE)
        loops = (getattr(each, "loop", None) for each in time.participants)
        signals = sorted({number for loop in loops if loop is not None for number in wires.signals_of(loop)})
        if signals:
            text = f"a handler waits for {', '.join(map(signal_name, signals))}"
            return Wait("signal", text, limit, FROZEN_PAUSE)
        listeners = [wire.text for wire in known if wire.where == LISTENER]
        if listeners:
            rest = f" and {len(listeners) - 1} more" if len(listeners) > 1 else ""
            return Wait("listener", f"a server listens at {listeners[0]}{rest}", LISTENING, FROZEN_PAUSE)
        return None

    def registered(self, time: VirtualTime) -> dict[int, Any]:
        """Return descriptor -> registration of what the loops wait for, but for how they wake themselves."""
        found: dict[int, Any] = {}
        for participant in time.participants:
            selector = getattr(participant, "selector", None)
            if selector is not None:
                found.update(wires.registered(selector))
        for fd in self._own:
            found.pop(fd, None)
        return found

    # --- a burst of traffic ---------------------------------------------------------------------

    def _meet(self, time: VirtualTime) -> None:
        """Note which loops take part now."""
        self._crew = time.crew
        loops = (getattr(each, "loop", None) for each in time.participants)
        self._own = {fd for loop in loops if loop is not None for fd in wires.wakers(loop)}

    def _survey(self, time: VirtualTime, fresh: set[int]) -> None:
        """Look at what was touched or is new."""
        registered = self.registered(time)
        fresh = (fresh | (registered.keys() - self.peers.wires.keys())) - self._own
        if not fresh:
            return
        self.peers.begin()
        self.moving_since = real_now()
        away = [fd for fd in sorted(fresh) if self._leads_outside(fd, registered)]
        if away:
            self._burst(time, away, registered)

    def _leads_outside(self, fd: int, registered: dict[int, Any]) -> bool:
        """Look at a descriptor that was touched; tell whether an answer from outside may come now."""
        wire, before = self.peers.wire(fd, registered.get(fd))
        if before is not None and before.where == OUTSIDE:
            return True
        if wire is None:
            return before is None and self.peers.leads_outside(fd)
        if wire.where == INSIDE and (wire.counts or descriptors.INFO is None):
            self.moving[max(fd, wire.partner)] = min(fd, wire.partner)
        elif wire.where == INSIDE and wire.vague:
            self.moving[fd] = NO_COUNTS
        if wire.where != OUTSIDE:
            TRAFFIC.settled[fd] = wire.inode[1]
        return wire.where == OUTSIDE

    def _burst(self, time: VirtualTime, away: list[int], registered: dict[int, Any]) -> None:
        """Begin to wait for an answer, if there is a connection over which it may come."""
        settled = TRAFFIC.settled
        waiting = [self.peers.wires[fd] for fd in registered.keys() & self.peers.outside]
        if not waiting:
            for fd in away:  # whoever waits for its answer later waits for something new
                settled.pop(fd, None)
            return
        settled.update((wire.fd, wire.inode[1]) for wire in waiting)
        touched = [wire for wire in waiting if wire.fd in away]
        self.why = may_come(touched or waiting)
        self.since, self.patience = real_now(), 0.0
        self.told.clear()

    # --- waiting --------------------------------------------------------------------------------

    def _loopback(self) -> Wait | None:
        """Return a wait as long as the system has something in its hands that is for this process."""
        if not self.moving:
            return None
        for fd, partner in list(self.moving.items()):
            patience = self._patience(fd, partner)
            if not patience or real_now() - self.moving_since >= patience:
                del self.moving[fd]
        if not self.moving:
            return None
        fd = next(iter(self.moving))
        return Wait("loopback", f"something is on its way within this process (socket, fd {fd})")

    def _patience(self, fd: int, partner: int) -> float:
        """Return for how many real seconds it is worth waiting for what is between two sockets."""
        if descriptors.INFO is None:
            return VAGUE
        if partner == NO_COUNTS:
            return VAGUE
        if partner == -1:
            return EXACT if descriptors.is_connecting(fd) else 0.0
        ours, theirs = descriptors.count_of(fd), descriptors.count_of(partner)
        if ours is None or theirs is None:
            return VAGUE
        self._counts = self._counts or ours.sent > 0 or theirs.sent > 0
        if not self._counts:
            sending = descriptors.queued(fd, descriptors.BACKLOG) or descriptors.queued(
                partner, descriptors.BACKLOG
            )
            return VAGUE if sending else 0.0
        return EXACT if ours.moves_to(partner, theirs) or theirs.moves_to(fd, ours) else 0.0

    def _outside(self, time: VirtualTime) -> Wait | None:
        settings = time.settings
        if settings.io == "freeze":
            waiting = [self.peers.wires[fd] for fd in self.registered(time).keys() & self.peers.outside]
            return Wait("peer", may_come(waiting), settings.hang_after, FROZEN_PAUSE) if waiting else None
        if self.since is None:
            return None
        slices = min(SLICE * (descriptors.crowding() - 1), MOST_SLICES * settings.io_grace)
        self.patience = max(self.patience, settings.io_grace + slices)
        rest = self.since + self.patience - real_now()
        found: Wait | None = None
        if settings.strict and settings.io == "grace":
            found = self._strict(time)
        elif settings.io == "grace" and rest > 0:
            found = Wait("peer", self.why, pause=min(rest, LONGEST_PAUSE))
        if found is None:
            self._end()
        return found

    def _strict(self, time: VirtualTime) -> Wait | None:
        """Return what makes an error of a burst: who rests hears of it until its wait was in vain."""
        ident = threading.get_ident()
        rests = any(each.resting for each in time.participants if each.ident == ident)
        told = self.told[ident] = self.told.get(ident, 0) + rests
        if told > 2:  # noqa: PLR2004 -- once to wait, once to have waited in vain
            return None
        return Wait("strict", f"jumped while {self.why.replace(' may come', ' may be pending', 1)}", 0.0, 0.0)

    def _end(self) -> None:
        """Wait no more until there is new traffic."""
        self.since = None
        self.told.clear()


def may_come(waiting: list[Wire]) -> str:
    """Say from whom something may come."""
    first = min(waiting, key=lambda wire: wire.fd)
    rest = f", or from {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return f"an answer from {first.text} may come ({first.sort}, fd {first.fd}){rest}"


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
