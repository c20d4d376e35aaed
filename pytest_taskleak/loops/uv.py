"""How is uvloop driven, which has no place where it rests?

The loop gets a heap of timers of its own, and a probe that it runs in each turn.  When the probe has seen
several turns in which nothing else ran, time may move.  While time must stand, the probe waits in real time,
until it is due or somebody gives the loop something to do.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import blocking_fds
from pytest_taskleak.adapt.stepping import BUSY
from pytest_taskleak.adapt.uvloop import Inside, Overrides, UvTimer, native, see_through, stand_in, surface
from pytest_taskleak.loops.creeping import CREEP_TURNS, MOST_BUSY, creep
from pytest_taskleak.loops.driver import Driver
from pytest_taskleak.loops.hooks import RESOLUTION
from pytest_taskleak.loops.moment import COARSE, grain
from pytest_taskleak.loops.naming import Naming
from pytest_taskleak.loops.patience import LONGEST, Patience
from pytest_taskleak.loops.registered import Registered
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.uv_outside import UvOutside
from pytest_taskleak.loops.uv_timers import Heap
from pytest_taskleak.loops.virtual import VirtualTime

QUIET_TURNS = 2
"""Turns without anything to run after which a loop without connections rests."""
QUIET_TURNS_CONNECTED = 4
"""The same where it has connections: what one end sends reaches the other within so many turns."""
REPLACED = ("call_soon", "call_soon_threadsafe", "call_later", "call_at")


class UvloopDriver(Driver):
    """Drives a loop of uvloop by a probe that the loop itself runs.

    Timers that are older than the clock keep their delay, but libuv knows them: if time stands for
    longer, they fire.  The timers that libuv makes for itself stay in real time.

    Parameters: see `Driver`.
    """

    def __init__(self, loop: Any, time: VirtualTime) -> None:
        super().__init__(loop, time)
        self.inside = Inside(loop)
        self.ready = self.inside.ready
        self.selector = Registered(self._descriptors)
        self.heap = Heap()
        self.patience = Patience(time, self)
        self.naming = Naming(time.settings)
        self.outside = UvOutside(self.inside, time)
        self.attached = False
        self._soon = native(loop, "call_soon")
        self._soon_threadsafe = native(loop, "call_soon_threadsafe")
        self._later = native(loop, "call_later")
        self._context = contextvars.Context()
        self._former: dict[str, Callable[..., Any]] = {}
        self._overrides = Overrides(loop)
        self._watches = Overrides(loop)  # while the probe waits
        self._probing: Any = None  # its handle
        self.busy = self._quiet = self._stale = self._unsent = 0
        self._calm, self._ran = False, True  # `_ran`: something, since time moved or stood
        self._resolution = RESOLUTION
        self._wakers: tuple[tuple[int, int], ...] = ()  # by which it is told of signals

    # --- in and out -----------------------------------------------------------------------------

    def attach(self) -> None:
        super().attach()
        loop, here, real = self.loop, self.loop.time(), native(self.loop, "time")()
        for older in self.inside.timers():
            self.heap.add(stand_in(older, here + (older.when() - real), loop), older)
        self._former = {name: getattr(loop, name) for name in REPLACED}
        self._overrides.put("call_later", self.call_later)
        self._overrides.put("call_at", self.call_at)
        self._overrides.put("_scheduled", self.heap)
        for name in self.naming.methods:
            self._overrides.put(name, self.naming.wrap(name, getattr(loop, name)))
        self.time.coarse.append(self._coarse)
        if self.time.now >= COARSE:
            self._coarse(self.time.now)
        self.attached = True

    def detach(self) -> None:
        self.attached = False
        self.time.coarse.remove(self._coarse)
        self._overrides.restore()
        self._watches.restore()
        pending, now = self.heap.take(), self.loop.time()
        super().detach()
        if self.loop.is_closed():
            return
        if self.running and threading.get_ident() != self.ident:
            self._soon_threadsafe(self._leave, pending, now)
        else:
            self._leave(pending, now)

    def _leave(self, pending: list[UvTimer], now: float) -> None:
        """Withdraw the probe, and let what waits still keep its remaining delay."""
        self._withdraw()
        for timer in pending:
            timer.wait_really(self._later, timer.when() - now)

    def _moved(self, seconds: float) -> None:
        """Do nothing: what waits already is known by its remaining delay."""

    def _coarse(self, now: float) -> None:
        """Let timers count as due although floats of this size do not tell a nanosecond apart."""
        self._resolution = grain(now + self.offset)

    # --- in place of the loop's own methods -----------------------------------------------------

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        """Arm a timer in virtual time."""
        if not delay > 0 or self._is_misuse():
            return self._former["call_later"](delay, callback, *args, context=context)
        return self.arm(self.loop.time() + delay, callback, args, context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        """Arm a timer in virtual time."""
        if not when > -NEVER or self._is_misuse():
            return self._former["call_at"](when, callback, *args, context=context)
        return self.arm(when, callback, args, context)

    def arm(self, when: float, callback: Any, args: Any, context: Any) -> UvTimer:
        """Let a timer wait in virtual time."""
        timer = UvTimer(when, callback, args, self.loop, context)
        self.heap.add(timer)
        if self._watches.undo:
            self._rouse()
        return timer

    def _is_misuse(self) -> bool:
        """Tell whether the loop itself would refuse to make a timer now; it says why best."""
        loop = self.loop
        return loop.is_closed() or (loop.get_debug() and self.running and threading.get_ident() != self.ident)

    # --- the probe ------------------------------------------------------------------------------

    def begins(self) -> None:
        super().begins()
        self._wakers = tuple((fd, blocking_fds.READ) for fd in self.inside.own_sockets())
        self._quiet = self._stale = 0
        self._again()

    def ends(self) -> None:
        self._withdraw()
        super().ends()

    def _again(self) -> None:
        """Let the probe run once more in the next turn."""
        self._probing = self._soon(self._probe, context=self._context)

    def _withdraw(self) -> None:
        """Let there be no probe any more."""
        self._watches.restore()
        self.patience.end()
        self._wakes()
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None

    def _probe(self) -> None:
        """Let time move if nothing else has anything to do."""
        self._probing = None
        try:
            self._look()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as failure:  # noqa: BLE001 -- it comes up where the loop was started
            self._withdraw()
            surface(self.loop, failure)

    def _look(self) -> None:
        """Look whether anything else ran since the last turn."""
        if self._watches.undo:
            self._watches.restore()
            self._wakes()
        if self._fire() or self.ready:
            self._active()
            return
        self.busy = 0
        self._quiet += 1
        if self._quiet < QUIET_TURNS:
            self._calm = self.time.easy()
            self._again()
            return
        connected = self.inside.connected()
        if connected and self._in_flight():
            self._again()
            return
        self.outside.see(active=self._ran, connected=connected)
        self._ran = False
        if not self._calm and self.time.standing(self) is None:
            self._calm = True  # what was at work may have sent something and ended: the loop looks once more
            self._again()
            return
        self._rest()

    def _active(self) -> None:
        """Note that there is something else to run."""
        self.patience.end()
        self._ran, self._quiet, self._stale = True, 0, 0
        self.busy += 1
        if self.busy >= BUSY and not self.busy % CREEP_TURNS:
            in_vain = self.busy >= MOST_BUSY and not self.inside.connected()
            self.busy = 0 if in_vain else self.busy
            creep(self.patience, in_vain=in_vain)
        self._again()

    def _in_flight(self) -> bool:
        """Tell whether something may be on its way from one end of a connection to the other."""
        before, self._unsent = self._unsent, self.inside.unsent()
        if before != self._unsent:
            self._quiet = 0
        return self._quiet < QUIET_TURNS_CONNECTED

    def _rest(self) -> None:
        """Move time, or wait until it may move."""
        why = self.naming.look()
        if why is not None:
            why = self.patience.stand(why)
        else:
            self.resting = True
            why = self.patience.ask()
        if why is None and (self._fire() or self.ready):
            self._goes_on()
            return
        self._stale = self._stale + 1 if why is None else 0  # somebody else goes on, or nobody ever will
        self._pause(min(LONGEST, self._stale * 0.001) if why is None else self.patience.pause(why))

    def _pause(self, seconds: float) -> None:
        """Let the probe wait in real time, unless the loop gets something to do before."""
        self._quiet = 0
        self._watches.put("call_soon", self._call_soon)
        self._watches.put("call_soon_threadsafe", self._call_soon_threadsafe)
        self._probing = self._later(seconds, self._again, context=self._context)  # after the loop has looked

    def _rouse(self) -> None:
        """End the probe's wait."""
        if self.attached and self._watches.undo:
            self._withdraw()
            self._goes_on()

    def _goes_on(self) -> None:
        self._wakes()
        self._ran, self._quiet, self._stale = True, 0, 0
        self._again()

    def _wakes(self) -> None:
        """Note that the loop rests no more."""
        if self.resting:
            with self.time.lock:
                self.resting = False

    def _call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        self._rouse()
        return self._former["call_soon"](callback, *args, context=context)

    def _call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        self._wakes()
        self._soon_threadsafe(self._rouse)
        return self._former["call_soon_threadsafe"](callback, *args, context=context)

    def _fire(self) -> bool:
        """Run the timers that are due; return whether there were any."""
        heap = self.heap.entries
        if not heap:
            return False
        time = self.time
        now = (time.now if time.real_since is None else time.live()) + self.offset + self._resolution
        if heap[0][0] >= now:
            return False
        with time.lock:
            time.move(heap[0][0] - self.offset)  # whoever asks on time whether it is due is told so
        self.heap.fire(now)
        return True

    def raise_next(self, error: BaseException) -> None:
        self._soon(surface, self.loop, error)

    # --- as a participant -----------------------------------------------------------------------

    def due(self) -> float:
        return self.heap.first() - self.offset

    def stirs(self) -> bool:
        return bool(self.ready) or bool(self._wakers and not blocking_fds.silent(self._wakers))

    def wake(self) -> None:
        self._soon_threadsafe(self._rouse)

    def _descriptors(self) -> list[int]:
        return [fd for fd in self.inside.sockets() if (fd, blocking_fds.READ) not in self._wakers]


see_through(UvloopDriver.call_later, UvloopDriver.call_at, UvloopDriver.arm)
