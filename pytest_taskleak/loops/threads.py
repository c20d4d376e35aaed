"""Is a thread at work, so that time must stand?

A thread that stands in a wait for something that others must do does not hold time; any other does.  Threads
that are older than the clock and never stood in such a wait are let be where they always come back to.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from types import FrameType

from pytest_taskleak.adapt import cpu_time, parked, submitting
from pytest_taskleak.adapt.blocked import RUNS
from pytest_taskleak.adapt.code import STDLIB
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.adapt.thread_stacks import thread_name
from pytest_taskleak.loops.pools import Pools
from pytest_taskleak.loops.seen import Seen
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait
from pytest_taskleak.safely import attribute, is_a, own_dict
from pytest_taskleak.timing import now as real_now

GRACE = 0.1
"""Real seconds for which an old thread must stand still in a new place, to count as one that rests there."""
MOST_PASSES = 3
OURS = "taskleak-"
"""With what the names of the watcher's own threads begin."""
MAIN = threading.main_thread().ident


class Threads:
    """The threads of this process, but for those that take part in virtual time.

    Parameters:
        pools: the pools, some of whose workers are among them.
    """

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.known: dict[int, Seen] = {}
        self.ignored: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.root = ""
        self.starts = submitting.Starts()
        pools.stuck = self.stuck

    # --- as a source ----------------------------------------------------------------------------

    def install(self, time: VirtualTime) -> None:
        """Note which threads are older."""
        self.root = os.getcwd() + os.sep
        self.known.clear()
        self.starts.install()
        frames = current_frames()
        try:
            own, now = threading.get_ident(), real_now()
            for ident, frame in frames.items():
                if ident == own:
                    continue
                seen = self._look_at(ident, frame, now)
                seen.older = True
                seen.place = parked.place_of(ident, frame, self.pools.drained)
                seen.free = seen.place.waits is None or seen.place.outside
                if seen.free:
                    seen.homes.add(seen.at)
        finally:
            frames.clear()

    def uninstall(self) -> None:
        """Forget them."""
        self.starts.uninstall()
        self.known.clear()

    def quiet(self) -> bool:
        """Tell at once whether there certainly is no other thread, but for the watcher's own."""
        others = parked.count_threads()
        if not others:
            return threading.get_ident() == MAIN and not self.starts.pending
        return others == 1 and not self.starts.pending and self._only_sentries()

    def look(self, time: VirtualTime) -> Wait | None:
        """Return a thread that is at work, `None` if there is none.

        Threads go on while they are looked at.  So all must be found at rest once more, without one that has
        executed anything since it was found at rest: then all of them rested at one moment.
        """
        skip = {threading.get_ident(), *(p.ident for p in time.participants)}
        for _ in range(MOST_PASSES):
            if parked.begins() or self.starts.pending:
                return self._wait(time, "a thread begins")
            judged, why = self._pass(skip, time)
            if why is not None or not judged:
                return why
        return self._wait(time, "threads wake each other")

    def hope(self, time: VirtualTime) -> Wait | None:
        """Return a thread whose wait ends by itself, or by somebody outside."""
        frames = current_frames()
        try:
            for ident, seen in list(self.known.items()):
                ends = seen.place.timed or seen.place.outside
                if ends and ident in frames and (seen.moved or not seen.older):
                    where = f"waits with a timeout at {self._where(frames[ident])}"
                    return Wait("waiter", f"{thread_name(ident)} {where}", time.settings.hang_after)
        finally:
            frames.clear()
        return None

    # --- for others -----------------------------------------------------------------------------

    def ignore(self, thread: threading.Thread) -> None:
        """Let time never stand because of a thread."""
        self.ignored.add(thread)

    def stuck(self, idents: Iterable[int], time: VirtualTime) -> bool:
        """Tell whether all of some threads wait for something else than for work from their pool."""
        frames = current_frames()
        try:
            return all(ident in frames and self._is_stuck(ident, frames[ident], time) for ident in idents)
        finally:
            frames.clear()

    def _is_stuck(self, ident: int, frame: FrameType, time: VirtualTime) -> bool:
        if self._judge(ident, frame, time) is not None:
            return False
        place = self.known[ident].place
        return place.waits is not None and not place.idle

    # --- looking --------------------------------------------------------------------------------

    def _only_sentries(self) -> bool:
        frames = current_frames()
        try:
            own = threading.get_ident()
            found = [ident for ident, frame in frames.items() if frame.f_code is cpu_time.SENTRY]
            return own == MAIN and len(found) == 1 and len(frames) == 2  # noqa: PLR2004 -- the caller and it
        finally:
            frames.clear()

    def _pass(self, skip: set[int], time: VirtualTime) -> tuple[bool, Wait | None]:
        """Look at each thread once.

        Returns:
            Whether one of them had to be judged anew, and why time must stand.
        """
        judged = False
        known, ignored, sentry = self.known, self.ignored, cpu_time.SENTRY
        frames = current_frames()
        try:
            for ident, frame in frames.items():
                if ident in skip or frame.f_code is sentry:
                    continue
                if ignored and parked.thread_of(ident) in ignored:
                    continue
                seen = known.get(ident)
                if seen is not None and seen.rests():
                    continue
                if cpu_time.is_sentry(frame) or self._is_ours(ident):
                    continue
                judged = judged or seen is None or seen.clock is not None
                why = self._judge(ident, frame, time)
                if why is not None:
                    return judged, why
            if len(known) > 2 * len(frames):
                for ident in [ident for ident in known if ident not in frames]:
                    del known[ident]
        finally:
            frames.clear()
        return judged, None

    def _is_ours(self, ident: int) -> bool:
        """Tell whether a thread is the watcher's own, and never look at it again."""
        thread = parked.thread_of(ident)
        if thread is None or not str(attribute(thread, "_name")).startswith(OURS):
            return False
        self.ignored.add(thread)
        return True

    def _look_at(self, ident: int, frame: FrameType, now: float) -> Seen:
        """Note where a thread stands, and since when."""
        seen = self.known.get(ident)
        used = -1.0
        if seen is not None and seen.clock is not None:
            try:
                used = cpu_time.read_clock(seen.clock)
            except OSError:  # it has ended, and another one has its number
                seen = None
        at = (frame.f_code, frame.f_lasti)
        if seen is None:
            clock = cpu_time.cpu_clocks().get(ident)
            seen = self.known[ident] = Seen(clock, cpu_time.used_on(clock), at, now)
        elif used != seen.used if seen.clock is not None else at != seen.at:
            seen.used, seen.since, seen.quiet, seen.moved = used, now, False, True
        seen.at = at
        return seen

    def _judge(self, ident: int, frame: FrameType, time: VirtualTime) -> Wait | None:
        """Return why time must stand for a thread, `None` if it rests."""
        now = real_now()
        seen = self._look_at(ident, frame, now)
        place = parked.place_of(ident, frame, self.pools.drained)
        rests = place.waits is not None and place.waits()
        seen.free = seen.free and (place.waits is None or place.outside)
        still, said = now - seen.since, b""
        if seen.free:
            seen.place, said = RUNS, cpu_time.in_system(seen.clock)
            seen.quiet = self._at_home(seen, cpu_time.sleeps(said, still), still)
        else:
            seen.place = place
            if rests and not seen.older and is_timer(parked.thread_of(ident), time.settings.hang_after):
                seen.quiet = False
                return self._runs(ident, frame, time, "is to fire, and waits at")
            if rests and place.outside and self._may_answer(still, time.settings):
                seen.quiet = False
                return self._runs(ident, frame, time, "waits for an answer from outside at")
            if rests and not place.sure:
                said = cpu_time.in_system(seen.clock)
                rests = cpu_time.sleeps(said, still)
            seen.quiet = rests
        seen.said = said if seen.free or place.handed else b""
        return None if seen.quiet else self._runs(ident, frame, time)

    @staticmethod
    def _may_answer(still: float, settings: Settings) -> bool:
        """Tell whether time must stand because somebody outside may answer a thread."""
        return settings.io == "freeze" or (settings.io == "grace" and still < settings.io_grace)

    @staticmethod
    def _at_home(seen: Seen, sleeps: bool, still: float) -> bool:
        """Tell whether a free thread rests where it always does, or has found another place to rest."""
        if sleeps and seen.at not in seen.homes and still >= GRACE:
            seen.homes.add(seen.at)
        return sleeps and seen.at in seen.homes

    # --- telling --------------------------------------------------------------------------------

    def _runs(self, ident: int, frame: FrameType, time: VirtualTime, what: str = "runs at") -> Wait:
        where = self._where(frame)
        work = parked.work_in(frame)
        if work is None:
            return self._wait(time, f"{thread_name(ident)} {what} {where}")
        function, pool = work
        return Wait("pool", f"call {function}() in pool {pool!r}, {what} {where}", time.settings.hang_after)

    def _where(self, frame: FrameType) -> str:
        path, line, function = parked.waits_in(frame)
        for root in (self.root, *(folder + os.sep for folder in STDLIB)):
            path = path.removeprefix(root)
        return f"{path}:{line}  {function}"

    @staticmethod
    def _wait(time: VirtualTime, text: str) -> Wait:
        return Wait("thread", text, time.settings.hang_after)


def is_timer(thread: object, most: float) -> bool:
    """Tell whether a thread is a `threading.Timer` that fires within so many real seconds.

    It is work under way: unlike other waits that have a timeout, this one is there for its timeout.
    """
    interval = (own_dict(thread) or {}).get("interval") if is_a(thread, threading.Timer) else None
    return isinstance(interval, int | float) and interval <= most
