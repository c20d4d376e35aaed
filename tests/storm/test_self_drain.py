"""S18: a service is told to stop by one of its own tasks; is it found who waits for whom, and is a sound one left be?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.engine.unwatched import unwatched
from pytest_taskleak.report import storm_text
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.catalogue import PRESETS, chosen
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import Limits
from pytest_taskleak.storm.real import RealStorm
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.scenarios import perform, replay
from pytest_taskleak.storm.sweep import Sweep

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reference import Service as Reference
from reference import load as reference_load

ITEMS = 4
Job = Callable[[], Any]


class Workers:
    """Two workers store what is handed in, and run jobs; what is not done at the end is given up, and told.

    Parameters:
        env: the world.
    """

    def __init__(self, env: Env) -> None:
        self.env = env
        self.save = env.dep("save")
        self.db = env.resource("db")
        self.queue: asyncio.Queue[int | Job] = asyncio.Queue()
        self.tasks: list[asyncio.Task[None]] = []
        self.closing = asyncio.Event()

    async def start(self) -> None:
        self.closing.clear()
        self.db.open()
        self.tasks = [asyncio.create_task(self.work(), name=f"worker-{number}") for number in range(2)]

    def submit(self, item: int | Job) -> None:
        if isinstance(item, int):
            self.env.accept(item)
        self.queue.put_nowait(item)

    async def work(self) -> None:
        while not self.closing.is_set():
            item = await self.queue.get()
            if not isinstance(item, int):
                await item()
                continue
            try:
                await self.save(item)
            except asyncio.CancelledError:
                self.env.drop(item, "stopped")
                raise
            except ConnectionError:
                self.env.drop(item, "it could not be stored")
            else:
                self.env.finish(item)

    async def stop(self) -> None:
        """End all tasks but the one that calls this, which ends itself: it sees that it is to close."""
        self.closing.set()
        others = [task for task in self.tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)
        self.end()

    def end(self) -> None:
        while not self.queue.empty():
            item = self.queue.get_nowait()
            if isinstance(item, int):
                self.env.drop(item, "stopped")
        if self.db.is_open:
            self.db.close()


class WaitsForAll(Workers):
    """Waits for all of its workers, each of which ends when it has done its item."""

    async def stop(self) -> None:
        self.closing.set()
        for _ in self.tasks:
            self.queue.put_nowait(lambda: asyncio.sleep(0))  # wakes it, and it sees that it is to close
        await asyncio.wait(self.tasks)
        self.end()


class WaitsBehind(WaitsForAll):
    """Lets a task of its own do that, and waits for it; a heart goes on beating meanwhile."""

    async def start(self) -> None:
        await super().start()
        self.heart = asyncio.create_task(self.beat(), name="heart")

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(0.5)

    async def stop(self) -> None:
        await asyncio.create_task(super().stop(), name="stopper")
        self.heart.cancel()
        await asyncio.wait([self.heart])


class Joins(Workers):
    """Waits until all that was handed in is done."""

    async def work(self) -> None:
        while True:
            item = await self.queue.get()
            assert isinstance(item, int)
            try:
                await self.save(item)
                self.env.finish(item)
            finally:
                self.queue.task_done()

    async def stop(self) -> None:
        await self.queue.join()
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        self.end()


class CancelsAll(Workers):
    """Cancels all of its workers: so who calls this is cancelled by itself, and the rest is never done."""

    async def stop(self) -> None:
        self.closing.set()
        for task in self.tasks:
            task.cancel()
        await asyncio.sleep(0)
        self.end()


class Refuses(Workers):
    """Says that it is not to be stopped from inside."""

    async def stop(self) -> None:
        if asyncio.current_task() in self.tasks:
            raise RuntimeError("stop() was called by a worker")
        await super().stop()


class Raises(Workers):
    """Trips over who calls it."""

    async def stop(self) -> None:
        if asyncio.current_task() in self.tasks:
            raise KeyError("worker")
        await super().stop()


class GoesOn(Workers):
    """Stops all others, and forgets who calls it."""

    async def work(self) -> None:
        while True:
            item = await self.queue.get()
            assert isinstance(item, int)
            try:
                await self.save(item)
            except asyncio.CancelledError:
                self.env.drop(item, "stopped")
                raise
            self.env.finish(item)


def four(service: Workers) -> None:
    for item in range(ITEMS):
        service.submit(item)


def stops_itself(service: Workers, env: Env) -> None:
    four(service)
    service.submit(env.stop)


def swept(
    target: Any, load: Any = four, names: str = "S18", seeds: tuple[int, ...] = (0,), **limits: Any
) -> StormReport:
    choice = chosen(names)
    name = getattr(target, "__qualname__", "service")
    with unwatched():  # some of the services cannot be ended
        return perform(choice, Sweep(maker(target), load, name, choice.axes, seeds, Limits(**limits)))


def letters(report: StormReport) -> set[str]:
    return {cause.oracle for cause in report.causes if cause.scale == "violation"}


def first(report: StormReport, oracle: str) -> Any:
    return next(cause for cause in report.causes if cause.oracle == oracle)


@pytest.mark.parametrize("target", [Workers, Refuses])
@pytest.mark.parametrize("names", ["S18", "default S18"])
def test_who_leaves_its_caller_out_or_refuses_is_sound(target: Any, names: str) -> None:
    report = swept(target, names=names, seeds=tuple(range(8)) if names == "S18" else (0,))
    assert [(cause.token, cause.text) for cause in report.causes] == []
    (axis,) = [axis for axis in report.axes if axis.axis == "inside"]
    assert axis.ran == axis.planned > 0
    assert report.deterministic
    assert report.left_out == {}


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (WaitsForAll, {"B"}),
        (WaitsBehind, {"D"}),
        (Joins, {"B"}),
        (CancelsAll, {"R"}),
        (Raises, {"E"}),
        (GoesOn, {"T"}),
    ],
)
def test_a_mistake_is_found_and_replayed(target: Any, found: set[str]) -> None:
    assert letters(swept(target, names="S1 S2 S3")) == set(), "by any other stop it is sound"
    report = swept(target)
    assert letters(report) >= found, [(cause.oracle, cause.text) for cause in report.causes]
    for oracle in found:
        token = first(report, oracle).token
        assert token.startswith("inside,save:")
        again = replay(Sweep(maker(target), four, "again", ()), token)
        assert again.deterministic
        assert again.complete
        assert {(c.oracle, c.where) for c in again.causes} >= {(oracle, first(report, oracle).where)}


@pytest.mark.parametrize(
    ("target", "letter", "told"),
    [
        (WaitsForAll, "B", "and waits for 'worker-0', which has called it"),
        (WaitsBehind, "D", "and waits for 'stopper', which waits for 'worker-0', which has called it"),
        (Joins, "B", "and waits for asyncio.Queue.join() of `self.queue`"),
    ],
)
def test_it_is_told_who_waits_for_whom(target: Any, letter: str, told: str) -> None:
    cause = first(swept(target), letter)
    assert "'worker-0' at " in cause.text
    assert "it has called stop() from inside" in cause.text
    assert told in cause.text


def test_the_story_tells_who_has_called_it() -> None:
    report = replay(Sweep(maker(WaitsForAll), four, "again", ()), "inside,save:1")
    assert report.story is not None
    storm = report.story.lanes[0]
    assert [event.text for event in storm.events if event.mark == "S"] == [
        "stop(), called by worker-1 in its call 1 of save"
    ]
    assert report.story.drains


def test_the_reference_service_waits_for_its_workers_and_is_not_asked_by_a_preset() -> None:
    report = swept(Reference, reference_load)
    deadlocks = [cause for cause in report.causes if cause.oracle == "B"]
    assert "waits for 'stopper', which waits for 'worker-0', which has called it" in deadlocks[0].text
    assert sum(cause.count for cause in deadlocks) == report.axes[0].planned
    assert not any("S18" in keys for keys in PRESETS.values())


# --- env.stop() ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["default", "S18 S24"])
def test_a_job_may_stop_the_service_in_every_run(names: str) -> None:
    report = swept(Workers, stops_itself, names)
    assert [(cause.token, cause.text) for cause in report.causes] == []
    assert report.complete


def test_a_job_that_stops_a_service_which_waits_for_it_is_found_without_any_trigger() -> None:
    report = swept(WaitsForAll, stops_itself, "quick")
    deadlock = first(report, "B")
    assert deadlock.token == "baseline"  # noqa: S105 -- no secret
    assert "it has called stop() from inside, and waits for 'worker-0'" in deadlock.text


def test_a_job_is_told_of_a_refusal() -> None:
    heard: list[str] = []

    def load(service: Workers, env: Env) -> None:
        async def job() -> None:
            try:
                await env.stop()
            except RuntimeError as error:
                heard.append(str(error))

        service.submit(job)
        four(service)

    report = swept(Refuses, load, "S1")
    assert report.causes == []
    assert set(heard) == {"stop() was called by a worker"}


@pytest.mark.parametrize(("target", "found"), [(Workers, set()), (WaitsForAll, {"D"})])
def test_a_job_may_stop_it_in_real_time(target: Any, found: set[str]) -> None:
    with unwatched():
        storm = RealStorm(maker(target), stops_itself, "service", ["stop"], seed=0, moments=2)
        storm.limits = Limits(deadline=0.3, linger=0.05, live_on=0.05)
        report = storm.sweep()
    assert letters(report) >= found
    assert bool(found) == bool(report.causes), [cause.text for cause in report.causes]
    if found:
        assert "waits for 'worker-0', which has called it" in first(report, "D").text


def test_a_client_may_ask_for_the_stop_too() -> None:
    async def load(service: Workers, env: Env) -> None:
        four(service)
        await env.stop()
        await asyncio.sleep(1)

    assert swept(WaitsForAll, load, "stop cancel kill").causes == []


def test_before_there_is_a_service_nothing_can_be_stopped() -> None:
    class Hasty(Workers):
        def __init__(self, env: Env) -> None:
            super().__init__(env)
            coro = env.stop()
            with pytest.raises(RuntimeError, match="there is no service yet"):
                coro.send(None)

    assert swept(Hasty, names="S1").causes == []


# --- where there is no such moment -----------------------------------------------------------------------


class NoDependency:
    """Works on its own."""

    async def start(self) -> None:
        self.task = asyncio.create_task(asyncio.Event().wait())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@asynccontextmanager
async def managed(env: Env) -> AsyncIterator[Any]:
    """Have a worker that calls a dependency; nobody but the block can leave it."""
    save = env.dep("save")
    task = asyncio.ensure_future(save())
    yield None
    await task


def test_the_caller_may_outlive_the_stop() -> None:
    class Slow(Workers):
        def __init__(self, env: Env) -> None:
            super().__init__(env)
            self.save = env.dep("save", latency=(6.0, 6.0))

    report = swept(Slow, deadline=7.0, linger=10.0)
    assert report.causes == []
    assert report.axes[0].worst_drain == 0.0


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (NoDependency, "no task of the service calls a dependency (env.dep) before the end"),
        (managed, "it is no service with start and stop"),
    ],
)
def test_where_there_is_no_moment_that_is_told(target: Any, why: str) -> None:
    report = swept(target, None)
    assert report.causes == []
    assert [(axis.axis, axis.planned) for axis in report.axes] == [("inside", 0)]
    assert "the axis inside has 0 points" in report.left_out["S18 self_drain"]
    assert storm_text.lines(report, 200)[-1] == f"left out: S18 self_drain ({why})"


def test_it_is_told_that_a_job_stops_it_in_every_run() -> None:
    def load(service: Any, env: Env) -> None:
        service.task.cancel()
        service.task = asyncio.ensure_future(env.stop())

    class Stopped(NoDependency):
        async def stop(self) -> None:
            if self.task is not asyncio.current_task():
                await super().stop()

    report = swept(Stopped, load)
    assert report.causes == []
    assert "by env.stop() it is stopped from inside in every run" in report.left_out["S18 self_drain"]


SUITE = """
    class Service:
        def __init__(self, env):
            self.save = env.dep("save")

        async def start(self):
            self.task = asyncio.create_task(self.save(1), name="worker")

        async def stop(self):
            await asyncio.wait([self.task])

    def test_it(shutdown_storm):
        shutdown_storm(Service, scenarios="self_drain")

    def test_other(shutdown_storm):
        shutdown_storm(Service, scenarios="quick")
"""


def test_through_the_fixture(suite: Any) -> None:
    done = suite(SUITE)
    assert done.failed() == [("test_it", "call")]
    assert done.one("test_other", "call").outcome == "passed"
    text = done.one("test_it", "call").text
    assert "FAIL  B deadlock" in text
    assert "inside,save:0: nothing can wake anything any more" in text
    assert "--taskleak-replay=inside,save:0" in text
    again = suite.run("-k", "test_it", "--taskleak-replay=inside,save:0")
    text = again.one("test_it", "call").text
    assert "the moment: inside,save:0" in text
    assert "it has called stop() from inside" in text
