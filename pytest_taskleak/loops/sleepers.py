"""How does a thread wait for a time in virtual time, and how does it go on when that ends?

A thread that waits with a timeout takes part in virtual time until it is woken.  It really blocks on a lock,
its bell, so that whoever moves time, notifies it or ends the clock can wake it at once.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import thread_time
from pytest_taskleak.loops.errors import FakeClockError
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.timing import now as real_now

PAUSE = 0.001
"""Real seconds between two looks of the one that looks for all."""
LONG = 0.05
"""The same for the others: they are woken, so this is for what nobody thought of."""
EXPIRED, NOTIFIED = "expired", "notified"


class Sleeper:
    """A thread that waits for a time; a participant meanwhile.

    Parameters:
        sleepers: all that wait.
        delay: seconds.
    """

    def __init__(self, sleepers: Sleepers, delay: float) -> None:
        self.sleepers = sleepers
        self.time = sleepers.time
        self.ident = threading.get_ident()
        self.resting = False
        self.until = self.time.live() + delay
        self.outcomes: list[str] = []  # the first one counts: to append is one step for all threads
        self.bell = threading.Lock()
        self.bell.acquire()

    # --- as a participant -----------------------------------------------------------------------

    def due(self) -> float:
        """Return when it must wake up."""
        return self.until

    def stirs(self) -> bool:
        """Tell whether it was woken, though it may not have run yet."""
        return bool(self.outcomes)

    def wake(self) -> None:
        """Let it wake up because its time has come."""
        self.outcomes.append(EXPIRED)
        self.ring()

    # --- as what `notify` of a condition releases --------------------------------------------------

    def release(self) -> None:
        """Let it wake up because it is notified.

        Raises:
            RuntimeError: its time had come before; so a lock answers that is not held.
        """
        self.outcomes.append(NOTIFIED)
        if self.outcomes[0] is not NOTIFIED:
            raise RuntimeError("release unlocked lock")
        self.ring()

    def ring(self) -> None:
        """End its real wait, so that it looks again."""
        with contextlib.suppress(RuntimeError):  # it rings already
            self.bell.release()

    # --- in its own thread ----------------------------------------------------------------------

    def rest(self) -> bool:
        """Wait; return whether it was notified before its time came."""
        sleepers, time = self.sleepers, self.time
        while not self.stirs():
            if sleepers.over:
                self.block(max(0.0, sleepers.real(self.until) - real_now()))
                if not self.stirs() and sleepers.real(self.until) <= real_now():
                    self.wake()
                continue
            try:
                time.rest(self, self.wait)
            except FakeClockError:
                if self.ident == sleepers.home:
                    raise
            finally:
                sleepers.relieve(self)
            if time.now >= self.until and not sleepers.over:
                self.wake()
            elif not self.stirs() and not sleepers.over:
                self.block(LONG)  # that time can never move was told to whom it concerns
        return self.outcomes[0] is NOTIFIED if self.outcomes else False

    def give_up(self) -> bool:
        """Do not wait; return whether it was notified all the same."""
        self.outcomes.append(EXPIRED)
        return self.outcomes[0] is NOTIFIED

    def wait(self, pause: float) -> bool:
        """Wait in real time; return whether there is something to do."""
        self.block(self.sleepers.patience(self, pause))
        return self.stirs() or self.sleepers.over

    def block(self, seconds: float) -> None:
        """Wait in real time for the bell."""
        self.bell.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))


class Joiner(Sleeper):
    """A thread that waits for a time or for the end of another thread.

    Parameters:
        sleepers: all that wait.
        delay: seconds.
        thread: the other one.
        join: the real `Thread.join`.
    """

    def __init__(
        self, sleepers: Sleepers, delay: float, thread: Any, join: Callable[[Any, float], None]
    ) -> None:
        super().__init__(sleepers, delay)
        self.thread = thread
        self.join = join

    def stirs(self) -> bool:
        return bool(self.outcomes) or thread_time.has_ended(self.thread)

    def wait(self, pause: float) -> bool:
        self.block(min(pause, PAUSE))
        return self.stirs() or self.sleepers.over

    def block(self, seconds: float) -> None:
        """Wait in real time for the end of the other thread, which no bell tells."""
        self.join(self.thread, min(seconds, threading.TIMEOUT_MAX))


class Sleepers:
    """All threads that wait for a time, from the beginning of a clock to its end.

    Parameters:
        time: the virtual time.
    """

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.home = threading.get_ident()
        self.over = False
        self.ended = (0.0, 0.0)  # real and virtual time
        self.asleep: list[Sleeper] = []
        self.lead: Sleeper | None = None

    def rest(self, sleeper: Sleeper) -> bool:
        """Let the calling thread wait; the loops that it runs cannot run meanwhile.

        Returns:
            Whether it was notified before its time came.
        """
        time = self.time
        blocked = [other for other in time.participants if other.ident == sleeper.ident]
        with time.lock:
            for loop in blocked:
                time.leave(loop)
            time.join(sleeper)
            self.asleep = [*self.asleep, sleeper]
        try:
            return sleeper.rest()
        finally:
            with time.lock:
                self.asleep = [other for other in self.asleep if other is not sleeper]
                time.leave(sleeper)
                for loop in [] if self.over else blocked:
                    time.join(loop)

    # --- who looks for all ----------------------------------------------------------------------

    def patience(self, sleeper: Sleeper, pause: float) -> float:
        """Return for how many real seconds a sleeper may wait before it looks again."""
        if self.lead is None:
            self.lead = sleeper
        return pause if self.lead is sleeper else max(pause, LONG)

    def relieve(self, sleeper: Sleeper) -> None:
        """Let another one look for all from here on, if it was this one."""
        if self.lead is sleeper:
            self.lead = None
            for other in self.asleep:
                if other is not sleeper and other.resting:
                    other.ring()
                    return

    # --- the end --------------------------------------------------------------------------------

    def end(self) -> None:
        """Let all who wait go on in real time, each for the rest of its delay."""
        with self.time.lock:
            self.ended = (real_now(), float(self.time.now))
            self.over = True
            for sleeper in self.asleep:
                sleeper.ring()

    def real(self, when: float) -> float:
        """Return the real time that a virtual one is, or will be if time goes on as real time does."""
        real, virtual = self.ended if self.over else (real_now(), float(self.time.now))
        return real + (when - virtual)
