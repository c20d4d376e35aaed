"""What may a fake clock raise?

Each error says in its text what to change.
"""

from __future__ import annotations


class FakeClockError(RuntimeError):
    """Something is wrong with what a fake clock was asked, or with what runs under it."""


class DeadlockError(FakeClockError):
    """Nothing can run, no timer is due, and nothing outside is at work: the test would wait for ever."""


class LivelockError(FakeClockError):
    """The loop never comes to rest, or its timers never end, and nothing else happens."""


class ExternalWorkTimeout(FakeClockError):
    """Work outside of the loop (a thread, a pool, a process, a connection) did not end in time."""


class UnsupportedLoop(FakeClockError):
    """The time of this loop cannot be driven."""


class TimeWentReal(FakeClockError):
    """With `strict=True`: the clock would have had to wait for a reply that nobody in this process sends."""


for _kind in (FakeClockError, *FakeClockError.__subclasses__()):
    _kind.__module__ = "pytest_taskleak"  # where users import them from, and as reports tell them
del _kind
