"""A service that starts and stops again and again: is what grows counted exactly, and what does not let be?"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.cycles import cycle, soak
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.growth import CycleReport, growth_of

sys.path.insert(0, str(Path(__file__).resolve().parent))

from designs import dispatcher_004 as dispatcher
from designs import hardening_003 as hardening


def found(report: CycleReport) -> dict[str, float]:
    """Return what grows and fails a test: sort -> slope."""
    told = {v.where for v in report.outcome.violations if v.scale == "violation"}
    return {growth.sort: growth.slope for growth in report.growths if growth.sort in told}


def texts(report: CycleReport) -> list[str]:
    """Return all that fails a test."""
    return [f"{v.oracle} {v.text}" for v in report.outcome.violations if v.scale == "violation"]


def two(service: Any) -> None:
    """Hand in two items."""
    for number in range(2):
        service.submit(number)


# --- published designs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [False, True])
def test_003_c3_one_task_for_each_instance(fresh: bool) -> None:
    report = cycle(maker(hardening.CachePerInstance), fresh=fresh)
    assert found(report)["tasks"] == 1.0
    assert any(text.startswith("T tasks grow by 1 for each cycle: 1, 2, 3, 4") for text in texts(report))


@pytest.mark.parametrize("fresh", [False, True])
def test_003_c3_no_task_is_left(fresh: bool) -> None:
    assert texts(cycle(maker(hardening.ClosedCaches), fresh=fresh)) == []


def test_004_retry_timers_grow_with_each_cycle() -> None:
    assert found(cycle(maker(dispatcher.Retrying), two, count=8))["timers"] == 2.0
    assert texts(cycle(maker(dispatcher.CancellingRetries), two, count=8)) == []


# --- what is counted -------------------------------------------------------------------------------------


class Kept:
    """A result that somebody may keep."""


class Keeping:
    """Keeps a result in one of so many cycles.

    Parameters:
        env: the world.
        each: cycles for one result; 0 for none.
    """

    def __init__(self, env: Env, each: int) -> None:
        self.each = each
        self.results: list[Kept] = []
        self.cycles = 0

    async def start(self) -> None:
        """Begin."""
        self.cycles += 1
        if self.each and not self.cycles % self.each:
            self.results.append(Kept())

    async def stop(self) -> None:
        """End."""


@pytest.mark.parametrize(("each", "slope"), [(1, 1.0), (5, 0.2)])
def test_row_64_objects_that_are_kept_are_counted_by_type(each: int, slope: float) -> None:
    report = cycle(maker(lambda env: Keeping(env, each)), count=30)
    assert list(found(report).values()) == [pytest.approx(slope, abs=0.01)]
    assert "Kept grow by" in texts(report)[0]


def test_row_54_a_cache_that_is_full_is_no_growth() -> None:
    assert texts(cycle(maker(lambda env: Keeping(env, 0)), count=30)) == []
    assert growth_of("tasks", [0] * 6 + [50] * 6).slope == 0
    assert growth_of("tasks", [1, 4, 9, 9, 9, 9, 9, 9]).slope == 0
    assert growth_of("tasks", list(range(12))).slope == 1.0


class Once:
    """Can be started once: it uses the event of its first life again."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def start(self) -> None:
        """Begin, unless it has ended."""
        if self.ended.is_set():
            raise RuntimeError("the context was cancelled")

    async def stop(self) -> None:
        """End."""
        self.ended.set()


class Silent(Once):
    """Can be started once, and does not say so."""

    def __init__(self) -> None:
        super().__init__()
        self.worker: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Begin, unless it has ended."""
        self.worker = asyncio.create_task(self.ended.wait())


def test_row_79_a_service_that_cannot_be_started_again() -> None:
    assert texts(cycle(maker(Silent), count=3)) == [
        f"S cycle {number} runs nothing, while the first one ran tasks: 1" for number in (2, 3)
    ]
    assert texts(cycle(maker(Silent), fresh=True)) == []


def test_row_79_a_service_for_one_life_says_so() -> None:
    report = cycle(maker(Once), count=4)
    assert report.cycles == 4
    told = [(v.oracle, v.scale, v.text) for v in report.outcome.violations]
    text = "it cannot be started again, and says so: RuntimeError('the context was cancelled')"
    assert told == [("S", "advisory", text)]
    assert cycle(maker(Once), fresh=True).outcome.violations == []


class Entities:
    """Beats for each entity; its beat ends with it, if that is not forgotten.

    Parameters:
        forgets: whether it is.
    """

    def __init__(self, forgets: bool) -> None:
        self.forgets = forgets
        self.beats: dict[int, asyncio.Task[None]] = {}
        self.count = 0

    async def start(self) -> None:
        """Begin."""

    def churn(self) -> None:
        """Let two entities come, and all but five go."""
        for _ in range(2):
            self.beats[self.count] = asyncio.create_task(self.beat())
            self.count += 1
        for number in list(self.beats)[:-5]:
            task = self.beats.pop(number)
            if not self.forgets:
                task.cancel()

    async def beat(self) -> None:
        """Beat for ever."""
        while True:
            await asyncio.sleep(60)

    async def stop(self) -> None:
        """End."""
        for task in self.beats.values():
            task.cancel()


@pytest.mark.parametrize(("forgets", "slopes"), [(True, {"tasks": 2.0}), (False, {})])
def test_row_76_tasks_end_with_their_entities(forgets: bool, slopes: dict[str, float]) -> None:
    report = soak(maker(lambda _: Entities(forgets)), lambda service: service.churn(), hours=2, every=300)
    assert report.cycles == 24
    assert found(report) == slopes


def test_one_cycle_shows_no_growth() -> None:
    with pytest.raises(ValueError, match="count=1"):
        cycle(maker(Once), count=1)
    with pytest.raises(ValueError, match="two periods"):
        soak(maker(Once), hours=0.1, every=300)


class Hoarding:
    """Keeps a task for each item after it has ended, unless it lets go."""

    lets_go = False

    def __init__(self) -> None:
        self.kept: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""
        await asyncio.gather(*self.kept)

    def submit(self, item: Any) -> None:
        task = asyncio.create_task(asyncio.sleep(0.001))
        self.kept.append(task)
        if self.lets_go:
            task.add_done_callback(self.kept.remove)


class LettingGo(Hoarding):
    lets_go = True


def test_ended_tasks_that_are_kept_are_counted() -> None:
    report = cycle(maker(Hoarding), two, count=8)
    assert found(report) == {"ended tasks that are kept": 2.0}
    assert texts(cycle(maker(LettingGo), two, count=8)) == []


# --- does it work again? ---------------------------------------------------------------------------------


class Store:
    """Stores what it is given by calls of a database; how it keeps it, and whether it wakes up, is said.

    Parameters:
        env: of the run.
        rows: where it keeps what it has stored.
        wakes: whether a second start begins anything.
        opens: whether it takes anything on after its second start.
    """

    def __init__(self, env: Env, rows: Any, *, wakes: bool = True, opens: bool = True) -> None:
        self.call = env.dep("db")
        self.rows, self.wakes, self.opens = rows, wakes, opens
        self.starts = 0
        self.jobs: asyncio.Queue[Any] = asyncio.Queue()
        self.worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.starts += 1
        if self.wakes or self.starts == 1:
            self.worker = asyncio.create_task(self.work())

    async def stop(self) -> None:
        if self.worker is not None:
            await self.jobs.join()
            self.worker.cancel()
            await asyncio.wait({self.worker})
            self.worker = None

    def submit(self, item: Any) -> None:
        if not self.opens and self.starts > 1:
            raise RuntimeError("closed")
        if self.worker is not None:
            self.jobs.put_nowait(item)

    async def work(self) -> None:
        while True:
            item = await self.jobs.get()
            try:
                await self.call(item)
                self.rows.append(item) if isinstance(self.rows, list) else self.rows.add(item)
            except ConnectionError:
                self.jobs.put_nowait(item)
            finally:
                self.jobs.task_done()


def hand_in(service: Store, env: Env) -> None:
    for number in range(3):
        item = env.accept(number)
        try:
            service.submit(item)
        except RuntimeError:
            env.drop(item, "refused")


def stored(service: Store) -> Any:
    return service.rows


@pytest.mark.parametrize("crash", ["", "db"])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("kind", [list, set])
def test_the_same_items_may_be_done_anew(kind: type, fresh: bool, crash: str) -> None:
    """A set keeps each once; that nothing more is in it than before says nothing."""
    report = cycle(
        maker(lambda env: Store(env, kind())), hand_in, count=3, fresh=fresh, crash=crash, done=stored
    )
    assert texts(report) == []


@pytest.mark.parametrize("crash", ["", "db"])
@pytest.mark.parametrize("kind", [list, set])
def test_a_service_that_stays_asleep_is_seen_by_what_is_done(kind: type, crash: str) -> None:
    report = cycle(
        maker(lambda env: Store(env, kind(), wakes=False)), hand_in, count=3, crash=crash, done=stored
    )
    assert texts(report)[0] == "S cycle 2 does none of its 3 items: it starts nothing"


def test_a_service_that_stays_closed_is_seen() -> None:
    report = cycle(maker(lambda env: Store(env, [], opens=False)), hand_in, count=3, done=stored)
    assert texts(report)[0] == "S cycle 2 drops all of its 3 items: it takes nothing on"


async def refused(service: Any, env: Env) -> None:
    """Hand in one item of which the client hears that it is refused."""

    async def client() -> None:
        raise RuntimeError("not now")

    env.client(client())


def test_what_a_client_is_told_is_no_lost_exception() -> None:
    assert texts(cycle(maker(lambda env: Store(env, [])), refused, count=3)) == []


class Ticking:
    """Does something every few milliseconds."""

    def __init__(self) -> None:
        self.ticks = 0
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.tick())

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait({self.task})

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(0.002)
            self.ticks += 1


def test_a_busy_service_is_no_livelock_in_a_long_life() -> None:
    report = soak(maker(Ticking), hours=2.0)
    assert texts(report) == []
    assert report.cycles == 24


class Greeting:
    """Needs a dependency to be entered."""

    def __init__(self, env: Env) -> None:
        self.call = env.dep("src")

    async def __aenter__(self) -> Self:
        await self.call("hello")
        return self

    async def __aexit__(self, *_: object) -> None:
        return


def test_only_the_first_of_many_services_fails() -> None:
    """Each has dependencies of its own, which count their calls from 0."""
    assert texts(cycle(maker(Greeting), count=4, crash="src")) == []
