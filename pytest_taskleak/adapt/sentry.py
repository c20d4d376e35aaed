"""How does a thread look around every few seconds without being in anybody's way?

It is started below `threading`, so that suites which count their threads do not count it, and it is gone
while the process forks: a child must not inherit its locks, and CPython warns of forks beside threads.
"""

from __future__ import annotations

import _thread
import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

_start = _thread.start_new_thread
_allocate = _thread.allocate_lock
_sleep = time.sleep
GONE = 0.001
"""Seconds in which a thread of the system ends after its last step in Python."""
_known: weakref.WeakSet[Sentry] = weakref.WeakSet()


class Sentry:
    """Calls something every few seconds, in a thread of its own.

    Parameters:
        look: what is called.
        period: seconds between two calls.
    """

    def __init__(self, look: Callable[[], None], period: float) -> None:
        self.look = look
        self.period = period
        self.runs = False
        self.stopping = _allocate()
        self.ended = _allocate()
        self.claims: list[None] = []
        _known.add(self)

    def start(self) -> None:
        """Begin, unless it runs already."""
        if self.runs:
            return
        self.stopping.acquire()
        self.ended.acquire()
        self.claims.append(None)
        self.runs = True
        _start(self._run, ())

    def stop(self) -> None:
        """End the thread and wait until it has ended; never from within itself.

        Several threads may fork at once: the one that gets the claim ends it, the others wait.  No lock is
        taken for that, because a child would inherit it as it is.
        """
        try:
            self.claims.pop()
        except IndexError:
            while self.runs:
                _sleep(GONE)
            return
        self.stopping.release()
        self.ended.acquire()
        self.ended.release()
        self.runs = False
        _sleep(GONE)

    def _run(self) -> None:
        try:
            while not self.stopping.acquire(timeout=self.period):
                with suppress(Exception):  # a look that fails has seen nothing
                    self.look()
            self.stopping.release()
        finally:
            self.ended.release()


def _before_fork() -> None:
    for sentry in list(_known):
        sentry.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
