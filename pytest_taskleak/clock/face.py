"""What can a test do with a fake clock?"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.clock.force import Force
from pytest_taskleak.clock.moving import Mover, Moving
from pytest_taskleak.clock.timers import Timer, timers_of
from pytest_taskleak.diagnosis import Graph
from pytest_taskleak.loops.errors import FakeClockError
from pytest_taskleak.loops.settings import Settings, is_seconds
from pytest_taskleak.loops.stats import Stats, seconds

AnyTask = TypeVar("AnyTask", bound="asyncio.Task[Any]")
MOST_TIMERS = 100_000


class FakeClock:
    """Time that moves by itself when nothing can run, or by hand: `with`, `async with`, or the fixture.

    While it is in force, every loop of asyncio or uvloop that runs in this process lives in one virtual time.
    Time jumps to the next timer when nothing can run and nothing real is in flight: no thread, no call in a
    pool, no child process that is awaited, nothing on a socket.

    Parameters:
        auto: whether time moves by itself; else by `advance()` and its like.
        io: what an open connection to somebody outside of this process does: `"grace"` waits `io_grace` real
            seconds for an answer after each burst of traffic, `"freeze"` lets time stand as long as one is
            open, `"ignore"` never waits.
        io_grace: real seconds.
        hang_after: real seconds after which work outside that does not end is an `ExternalWorkTimeout`.
        threads: whether sleeps and timeouts of threads are in virtual time too.
        wall: the date with which `time.time()` and `datetime.now()` begin (needs the extra `wall`); without a
            zone it is in UTC.
        modules: packages in which `monotonic`, `time`, `sleep` ... are those of the clock: global names only,
            not default arguments, attributes, or an `import time` inside of a function.
        lateness: seconds by which every timer comes late.
        start: seconds that the clock shows at first; for loops without timers.
        strict: waiting for an answer from outside is an error.
        seed: decides every order that asyncio leaves open, in the same way each time.
        level: which orders: `"arrival"`, or `"wake"` for those in which tasks are woken too.
        driver: `"hooks"` or `"step"`, how loops are driven; `"auto"` chooses.

    Raises:
        ValueError: an option is unknown or its value is not allowed.
    """

    def __init__(self, **options: Any) -> None:
        self._settings = Settings.of(options, "FakeClock")
        self._force = Force(self._settings)
        self._time = self._force.time
        self._entered: list[Any] = []

    # --- in force -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._force.begin()
        border = self._force.border(asyncio_.running_task())
        border.__enter__()
        self._entered.append(border)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        __tracebackhide__ = True
        try:
            result: bool | None = self._entered.pop().__exit__(kind, error, trace)
            return result
        finally:
            self._force.end()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        __tracebackhide__ = True
        return self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        state = "in force" if self._force.active else "not in force"
        return f"<FakeClock {state}, {seconds(self.elapsed)} elapsed, auto={self.auto}, {self.stats}>"

    # --- what time it is ------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The loop's time, in seconds."""
        return self._time.live()

    @property
    def elapsed(self) -> float:
        """Virtual seconds for which it has been in force, exact to a nanosecond."""
        self._time.live()
        return self._time.elapsed

    @property
    def auto(self) -> bool:
        """Whether time moves by itself when nothing can run; may be set at any time."""
        return self._time.auto

    @auto.setter
    def auto(self, value: bool) -> None:
        given: object = value
        if not isinstance(given, bool):
            raise FakeClockError(f"clock.auto must be True or False - got {given!r}")
        self._time.auto = value

    @property
    def stats(self) -> Stats:
        """How often time moved, and for what it had to stand in real time."""
        return self._time.stats

    @property
    def seed(self) -> int | None:
        """What decides every order that asyncio leaves open, `None` if nothing does."""
        return self._settings.seed

    @property
    def trace(self) -> str:
        """A digest of all that ran so far, in order, the same for the same seed; empty without one."""
        return self._force.world.trace()

    # --- by hand --------------------------------------------------------------------------------

    def advance(self, delay: float) -> Moving[None]:
        """Move time on by `delay` seconds: each timer at its own time, the loops settled at each. Await it.

        Where no loop runs in this thread it is done at once.

        Raises:
            FakeClockError: `delay` is no number of seconds, 0 or more; or the clock is not in force.
        """
        return self._mover("advance").to(self.now + checked("advance", delay))

    def advance_to(self, when: float) -> Moving[None]:
        """Move time on to `when` on the loop's clock, as `advance` does.

        Raises:
            FakeClockError: that time is over; or the clock is not in force.
        """
        if not is_seconds(when) or when < self.now:
            raise FakeClockError(f"clock.advance_to takes a time from now ({self.now:g}) on - got {when!r}")
        return self._mover("advance_to").to(when)

    def settle(self) -> Moving[None]:
        """Let everything run that can run now, without moving time. Await it."""
        return self._mover("settle").to(self.now)

    def next(self) -> Moving[float | None]:
        """Move time to the next timer and let everything run; return its time, `None` if there is none."""
        return self._mover("next").single()

    def run_until_idle(self, *, max_timers: int = MOST_TIMERS) -> Moving[None]:
        """Move time on until no timer is left but those of background tasks.

        Parameters:
            max_timers: at so many times it may stop on the way.

        Raises:
            LivelockError: there are more, because something arms itself again for ever.
            FakeClockError: `max_timers` is no whole number above 0; or the clock is not in force.
        """
        if type(max_timers) is not int or max_timers < 1:
            raise FakeClockError(f"max_timers must be a whole number above 0 - got {max_timers!r}")
        return self._mover("run_until_idle").until_idle(max_timers)

    def tick(self, delay: float) -> None:
        """Move time on by `delay` seconds at once and run nothing: as if the code had worked for so long.

        Raises:
            FakeClockError: `delay` is no number of seconds, 0 or more.
        """
        with self._time.lock:
            self._time.move(self._time.now + checked("tick", delay))

    def _mover(self, name: str) -> Mover:
        if not self._force.active:
            raise FakeClockError(
                f"clock.{name}() needs the clock in force: inside of its `with`, or in the test"
            )
        return Mover(self._force)

    # --- the real world -------------------------------------------------------------------------

    @contextmanager
    def hold(self, why: str) -> Iterator[None]:
        """Let virtual time stand for a block: something real is in flight that the clock cannot see.

        Parameters:
            why: for the report.
        """
        holds = self._time.holds
        entry = f"held for {why}"
        holds.append(entry)
        try:
            yield
        finally:
            holds.remove(entry)

    @contextmanager
    def real(self) -> Iterator[None]:
        """Let virtual time follow real time for a block."""
        if self._time.real_since is not None:
            yield
            return
        self._time.follow()
        try:
            yield
        finally:
            self._time.unfollow()

    def background(self, task: AnyTask) -> AnyTask:
        """Let a task not count for `run_until_idle`: it never ends by itself. Returns the task."""
        self._force.background.add(task)
        return task

    def ignore(self, thing: Any) -> None:
        """Let time go on whatever this thread or process does.

        Raises:
            FakeClockError: it is neither.
        """
        self._force.ignore(thing)

    # --- what is there --------------------------------------------------------------------------

    def timers(self) -> list[Timer]:
        """Return the timers of all loops under the clock, the next one first."""
        loops = [driver.loop for driver in self._force.world.drivers.values()]
        found = [timer for loop in loops if not loop.is_closed() for timer in timers_of(loop)]
        return sorted(found, key=lambda timer: timer.due_in)

    def waits(self) -> Graph:
        """Return who waits for what just now: the wait-for graph of all tasks under the clock."""
        from pytest_taskleak.clock.ending import sight_of

        graph: Graph = sight_of(self._time).graph
        return graph

    def shift_wall(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Let the wall clock jump, as when it is set; the loop's time does not move.

        Raises:
            FakeClockError: the clock has no `wall=`, or is not in force.
        """
        step = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        self._wall("shift_wall").shift(step)

    def drift_wall(self, rate: float) -> None:
        """Let the wall clock go `rate` seconds for each second of the loop's from here on.

        Raises:
            FakeClockError: the clock has no `wall=`, or is not in force; or `rate` is not above 0.
        """
        if not is_seconds(rate, above=True):
            raise FakeClockError(f"clock.drift_wall takes a rate above 0, as 1.001 - got {rate!r}")
        self._wall("drift_wall").drift(rate)

    def _wall(self, name: str) -> Any:
        wall = self._force.world.wall
        if wall is None:
            raise FakeClockError(
                f"clock.{name}() needs a clock in force with wall=datetime(...) or modules=[...]"
            )
        return wall


def checked(name: str, delay: object) -> float:
    """Return a number of seconds, or say what is allowed."""
    if not is_seconds(delay):
        raise FakeClockError(f"clock.{name} takes seconds, 0 or more - got {delay!r}")
    return float(delay)  # type: ignore[arg-type]


def force_of(clock: FakeClock) -> Force:
    """Return what puts a clock in force: for what stands between it and pytest."""
    return clock._force  # noqa: SLF001 -- it is no part of the user's face
