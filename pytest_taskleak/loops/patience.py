"""For how long has time stood for somebody who cannot wait in one place, and for what?"""

from __future__ import annotations

from pytest_taskleak.loops.roles import Participant
from pytest_taskleak.loops.virtual import NOT_TOLD, VirtualTime
from pytest_taskleak.loops.wait import Wait
from pytest_taskleak.timing import now as real_now

LONGEST = 0.02
"""Real seconds after which one looks again, however long it lasts."""
SHARE = 8
"""One looks again after that part of the time for which one has waited already."""


class Patience:
    """Does what `VirtualTime.rest` does, one look at a time.

    Parameters:
        time: the virtual time.
        me: the participant that rests.
    """

    def __init__(self, time: VirtualTime, me: Participant) -> None:
        self.time = time
        self.me = me
        self.cause = ""
        self.began = 0.0
        self.since: float | None = None

    def ask(self) -> Wait | None:
        """Move time as far as may be; return why it must stand, `None` if there is something to do.

        Raises:
            FakeClockError: it can never move again.
        """
        self.note()
        time = self.time
        return self.stand(None if time.over else time.go_on(self.me, self.me.due()))

    def stand(self, why: Wait | None) -> Wait | None:
        """Note why time stands; return `None` if there is nothing to wait for.

        Raises:
            FakeClockError: it has stood for too long.
        """
        self.note()
        if why is None:
            self.cause = ""
            return None
        now = real_now()
        if why.cause != self.cause:
            self.cause, self.began = why.cause, now
        elif why.limit is not None and now - self.began > why.limit:
            self.cause = ""
            self.time.verdict(self.time, why)
            return None
        self.since = now
        return why

    def pause(self, why: Wait) -> float:
        """Return after how many real seconds it is worth looking again."""
        if why.cause == "real":
            return why.pause
        return max(why.pause, min(LONGEST, (real_now() - self.began) / SHARE))

    def note(self) -> None:
        """Note that a wait is over."""
        if self.since is not None:
            if self.cause not in NOT_TOLD:
                self.time.waited(self.cause, self.since)
            self.since = None

    def end(self) -> None:
        """Note that there is something to do."""
        self.note()
        self.cause = ""
