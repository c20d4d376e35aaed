"""What time is it, who waits for which time, and when does it move?

One virtual time serves a whole process.  Loops and sleeping threads take part in it.  It moves only when
every one of them rests and nothing outside is at work, and then to the nearest time that anybody waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from pytest_taskleak.loops.moment import COARSE, Moment
from pytest_taskleak.loops.roles import NEVER, Outside, Participant, named
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.stats import Stats
from pytest_taskleak.loops.steps import Step, Steps
from pytest_taskleak.loops.wait import Wait
from pytest_taskleak.timing import now as real_now

plainly = float.__sub__
"""Subtraction that rounds nothing, whatever sort of float it is."""
OFTEN = 2**14 - 1
"""Once in so many jumps and one it is looked at whether the test gets on."""
NOT_TOLD = ("real", "turn")
"""Causes for which time does not stand."""

Verdict = Callable[["VirtualTime", Wait | None], None]
"""Called when time can never move again: what it waits for in vain, `None` if for nothing."""


def nothing(time: VirtualTime, why: Wait | None = None) -> None:
    """Say nothing, where nobody wants to know."""


class VirtualTime:
    """The one virtual time of a process.

    Parameters:
        settings: how it goes.
        outside: tells what is at work outside of the loops.
    """

    def __init__(self, settings: Settings, outside: Outside) -> None:
        self.settings = settings
        self.outside = outside
        self.now = Moment(0.0)
        self.base = self.now
        self.earlier = 0.0  # virtual seconds that had passed when `base` was set
        self.auto = settings.auto
        self.lock = threading.RLock()
        self.participants: list[Participant] = []
        self.crew = 0  # another number whenever others take part
        self.steps = Steps()
        self.holds: list[str] = []
        self.real_since: tuple[float, float] | None = None  # real and virtual time when it began to follow
        self.stats = Stats()
        self.moves: list[Callable[[float], None]] = []
        self.coarse: list[Callable[[float], None]] = []  # told when floats no longer tell a nanosecond apart
        self.faces: list[Callable[[], None]] = []  # told when it begins or ends to follow real time
        self.verdict: Verdict = nothing
        self.often: Callable[[VirtualTime], None] = nothing  # called once in very many jumps
        self.noted = 0.0  # the real time up to which `stats.real_wait` is complete
        self.over = False  # nobody drives the loops any more

    # --- who takes part -------------------------------------------------------------------------

    def join(self, participant: Participant) -> None:
        """Let a loop that begins to run, or a thread that begins to sleep, take part."""
        with self.lock:
            self.participants = [*self.participants, participant]
            self.crew += 1

    def leave(self, participant: Participant) -> None:
        """Let it take no part any more."""
        with self.lock:
            self.participants = [p for p in self.participants if p is not participant]
            self.crew += 1

    def dismiss(self) -> None:
        """Let nobody take part any more."""
        with self.lock:
            self.participants = []
            self.crew += 1

    # --- what time it is ------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Virtual seconds that have passed, exact to a nanosecond."""
        return round(self.earlier + (self.now - self.base), 9)

    def rebase(self, when: float) -> None:
        """Let it be `when` from here on, without any time having passed."""
        self.earlier = self.elapsed
        self.now = self.base = Moment(when)

    # --- moving ---------------------------------------------------------------------------------

    def move(self, when: float) -> None:
        """Let it be `when`."""
        before = self.now
        if when <= before:
            return
        self.now = Moment(when)
        stats = self.stats
        stats.jumps += 1
        stats.moved += plainly(when, before)
        if not stats.jumps & OFTEN:
            self.often(self)
        if when >= COARSE:
            for told in self.coarse:
                told(when)
        if self.moves:
            for moved in self.moves:
                moved(self.now - before)

    def due(self) -> float:
        """Return the nearest time that anybody waits for."""
        return min((p.due() for p in self.participants), default=NEVER)

    @property
    def free(self) -> bool:
        """Whether time moves by itself and nobody has asked for anything else."""
        return self.auto and not (self.steps.pending or self.holds or self.real_since)

    def easy(self) -> bool:
        """Tell at once whether time may certainly move, for its one participant; `False` says nothing."""
        return (
            self.auto
            and len(self.participants) == 1
            and not (self.steps.pending or self.holds or self.real_since or self.over)
            and self.outside.quiet()
        )

    def go_on(self, me: Participant, due: float) -> Wait | None:
        """Move time as far as may be, now that `me` rests; return why it must stand.

        Parameters:
            me: who asks, from its own thread.
            due: the time that it waits for.

        Returns:
            `None` if there is something for `me` to do.
        """
        if due < NEVER and self.easy():
            if not me.stirs():
                self.move(due + self.settings.lateness)
            return None
        with self.lock:
            why = self.standing(me)
            if why is not None or me.stirs():
                return why
            return self._go_on(me)

    def standing(self, me: Participant | None) -> Wait | None:
        """Return why time must stand, `None` if it may move."""
        if self.real_since is not None:
            return self._follow()
        if self.holds:
            return Wait("hold", self.holds[-1], pause=0.02)
        awake = self._awake(me)
        if awake is None:
            outside = self.outside.look(self)
            if outside is not None:
                return outside
            awake = self._awake(me)  # what runs no more may have left something to do
        if awake is None:
            return None
        return Wait("loop", f"{named(awake.ident)} runs", limit=self.settings.hang_after)

    def _awake(self, me: Participant | None) -> Participant | None:
        """Return a participant other than `me` that runs or is about to.

        All must be seen resting before any is asked: the one that still runs may give work to one that was
        asked, and then come to rest.  None can leave its rest meanwhile, because that takes the lock.
        """
        others = [other for other in self.participants if other is not me]
        for other in others:
            if not other.resting:
                return other
        for other in others:
            if other.stirs():
                return other
        return None

    def rest(self, me: Participant, wait: Callable[[float], bool]) -> None:
        """Let `me` rest until there is something for it to do; time moves meanwhile as far as may be.

        Parameters:
            me: the participant that the calling thread is.
            wait: waits for up to so many real seconds; returns whether there is something to do.
        """
        cause, began = "", 0.0
        me.resting = True
        try:
            while True:
                why = None if self.over else self.go_on(me, me.due())
                if why is None:
                    return
                now = real_now()
                if why.cause != cause:
                    cause, began = why.cause, now
                elif why.limit is not None and now - began > why.limit:
                    self.verdict(self, why)
                    return
                something = wait(why.pause)
                if why.cause not in NOT_TOLD:
                    self.waited(why.cause, now)
                if something:
                    return
        finally:
            with self.lock:
                me.resting = False

    def waited(self, cause: str, began: float) -> None:
        """Note the real time since `began`, but for what another participant has noted of it already."""
        began, self.noted = max(began, self.noted), real_now()
        if self.noted > began:
            self.stats.waited(cause, self.noted - began)

    def _go_on(self, me: Participant) -> Wait | None:
        step = self.steps.first()
        due = self.due()
        if step is not None:
            return self._take(step, me)
        if not self.auto or due == NEVER:
            return self._ended()
        self.move(due + self.settings.lateness)
        return self.wake_due(me)

    def _take(self, step: Step, me: Participant) -> Wait | None:
        """Serve who moves time by hand: one instant, or the end of it."""
        due = self.due()
        counted = due if step.counts is None else step.counts()
        if counted <= step.target and counted < NEVER:
            step.note(due)
            self.move(due)
            return self.wake_due(me)
        if self.now < step.target < NEVER:
            self.move(step.target)
        self.steps.end(step, self.now)
        return None if me.stirs() else self.wake_due(me)

    def wake_due(self, me: Participant) -> Wait | None:
        """Wake whose time has come, but for `me`; return what `me` waits for if its own has not."""
        mine = False
        for other in self.participants:
            if other.due() <= self.now:
                if other is me:
                    mine = True
                else:
                    other.wake()
        return None if mine else Wait("turn", "another is due first")

    def _ended(self) -> Wait | None:
        """Nobody waits for a time: that is an error, unless something may come from outside."""
        hope = self.outside.hope(self)
        if hope is None:
            self.verdict(self, None)
        return hope

    # --- real time ------------------------------------------------------------------------------

    def follow(self) -> None:
        """Let virtual time follow real time from here on."""
        self.real_since = (real_now(), self.now)
        self._tell()

    def unfollow(self) -> None:
        """Let it be virtual again."""
        self.live()
        self.real_since = None
        self._tell()

    def live(self) -> Moment:
        """Return the time it is while it follows real time."""
        with self.lock:
            if self.real_since is not None:
                began, virtual = self.real_since
                self.move(virtual + (real_now() - began))
            return self.now

    def _tell(self) -> None:
        for face in self.faces:
            face()

    def _follow(self) -> Wait | None:
        self.live()
        rest = max(0.0, self.due() - self.now)
        if not rest:
            return None
        return Wait("real", "real time is wanted", pause=min(rest, 0.02))
