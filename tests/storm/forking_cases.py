"""A forked sweep says what a sweep from the beginning says, and leaves no process behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from pytest_taskleak.adapt import forks
from pytest_taskleak.storm import axes
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.fork_children import Children, ForkFailed, ForkRefused
from pytest_taskleak.storm.forking import CHUNK, ForkedSweep
from pytest_taskleak.storm.plan import AXES, Plan
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep, installed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")


class Clean:
    """Three workers at a queue; what is in hand at the stop is finished, what waits is given up."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.file = env.resource("file")
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self.workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.file.open()
        self.workers = [asyncio.create_task(self.work(), name=f"worker-{n}") for n in range(2)]

    async def work(self) -> None:
        while True:
            item = await self.items.get()
            try:
                await self.db(item)
            except asyncio.CancelledError:
                self.env.drop(item, "stopped")
                raise
            self.file.use()
            self.env.finish(item)

    async def stop(self) -> None:
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        while not self.items.empty():
            self.env.drop(self.items.get_nowait(), "stopped")
        if self.file.is_open:
            self.file.close()


class Loses(Clean):
    """What is in hand at the stop is lost."""

    async def work(self) -> None:
        while True:
            item = await self.items.get()
            await self.db(item)
            self.env.finish(item)


class Swallows(Clean):
    """A worker takes its cancellation for a failure."""

    async def work(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await super().work()
        await super().work()


class Locks(Clean):
    """A lock is held for ever if its holder is cancelled."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.lock = asyncio.Lock()

    async def work(self) -> None:
        while True:
            item = await self.items.get()
            await self.lock.acquire()
            await self.db(item)
            self.env.finish(item)
            self.lock.release()


class Forgets(Clean):
    """A coroutine is made and not awaited, an exception is lost in a task, a timer outlives the stop."""

    async def work(self) -> None:
        asyncio.get_running_loop().call_later(5, self.file.use)
        try:
            await super().work()
        finally:
            self.task = asyncio.create_task(self.fail())
            self.cycle = [self.task, self]

    async def fail(self) -> None:
        raise ValueError("nobody asks")

    async def stop(self) -> None:
        self.fail()  # type: ignore[unused-coroutine]
        await super().stop()


class AsksLoop(Clean):
    """It asks asyncio for the running loop and for all tasks, and lets a pool work."""

    async def work(self) -> None:
        assert await asyncio.to_thread(os.getppid)
        async with asyncio.timeout(50):
            await super().work()

    async def stop(self) -> None:
        loop = asyncio.get_running_loop()
        mine = [task for task in asyncio.all_tasks(loop) if task.get_name().startswith("worker-")]
        assert len(mine) == sum(not worker.done() for worker in self.workers)
        assert asyncio.current_task() is not None
        await super().stop()


def load(service: Clean, env: Env) -> None:
    for item in range(4):
        service.items.put_nowait(env.accept(item))


async def slow_load(service: Clean, env: Env) -> None:
    for item in range(4):
        service.items.put_nowait(env.accept(item))
        await asyncio.sleep(0.002)


SERVICES = (Clean, Loses, Swallows, Locks, Forgets, AsksLoop)


def verdicts(sweep: Sweep, seed: int = 0) -> dict[Plan, set[tuple[str, str]]]:
    """Return what each run of a sweep has found."""
    found = {}
    with installed(sweep.primitives):
        base = sweep.baseline(seed)
        for axis in sweep.axes:
            own = base.outcome
            plans = axes.plans(axis, base.steps, own.points, own.depended, seed, base.whole)
            found.update(
                {o.plan: {(v.oracle, v.where) for v in o.violations} for o in sweep.outcomes(plans, 0.0)}
            )
            assert set(plans) <= set(found)
    return found


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("load", [load, slow_load])
def test_both_ways_agree_on_each_point(service: type[Clean], load: Any) -> None:
    tried = AXES if service is Loses else ("stop", "cancel", "kill")
    again = verdicts(Sweep(maker(service), load, "", tried))
    forked = verdicts(ForkedSweep(maker(service), load, "", tried))
    assert forked == again
    assert any(again.values()) or service is Clean
    assert children() == []


def test_both_ways_agree_under_a_seed() -> None:
    ways = [verdicts(kind(maker(Loses), slow_load, "", ("stop",)), 7) for kind in (Sweep, ForkedSweep)]
    assert ways[0] == ways[1]
    assert all(plan.seed == 7 for plan in ways[0])


def test_the_reports_are_the_same() -> None:
    again = Sweep(maker(Loses), load, "", AXES).sweep()
    forked = ForkedSweep(maker(Loses), load, "", AXES).sweep()
    assert again.causes
    assert forked.complete
    assert forked.causes == again.causes
    assert forked.axes == again.axes
    assert forked.points == again.points


def test_points_really_are_forked() -> None:
    here = os.getpid()
    started: list[int] = []

    class Tells(Clean):
        async def start(self) -> None:
            started.append(os.getpid())
            await super().start()

        async def stop(self) -> None:
            if os.getpid() != here:
                raise RuntimeError(f"child {os.getpid()}")
            await super().stop()

    sweep = ForkedSweep(maker(Tells), load, "", ("stop",))
    with installed(sweep.primitives):
        points = sweep.baseline(0).outcome.points
        found = list(sweep.outcomes([Plan("stop", point) for point in range(points)], 0.0))
    texts = {v.text for outcome in found for v in outcome.violations if "child" in v.text}
    assert len(texts) >= points - 2, "each in a process of its own"
    assert started == [here, here], "a baseline, and one run to branch off from"


def test_the_order_of_the_sweep_is_kept() -> None:
    sweep = ForkedSweep(maker(Clean), slow_load, "", ("stop",))
    plans = [Plan("stop", point) for point in (9, 3, 20, 0, 3 + CHUNK)]
    with installed(sweep.primitives):
        assert [outcome.plan for outcome in sweep.outcomes(plans, 0.0)] == plans


def test_a_point_that_never_comes_is_run_from_the_beginning() -> None:
    sweep = ForkedSweep(maker(Clean), load, "", ("stop",))
    with installed(sweep.primitives):
        (outcome,) = sweep.outcomes([Plan("stop", 100_000)], 0.0)
    assert (outcome.hit, outcome.violations) == (False, [])


def test_a_child_that_hangs_is_told_and_killed() -> None:
    here = os.getpid()

    class Hangs(Clean):
        async def stop(self) -> None:
            while os.getpid() != here:
                time.sleep(10)
            await super().stop()

    sweep = ForkedSweep(maker(Hangs), load, "", ("stop",))
    sweep.seconds = 0.3
    with installed(sweep.primitives):
        found = list(sweep.outcomes([Plan("stop", 12), Plan("stop", 13)], 0.0))
    assert [[(v.oracle, v.where) for v in outcome.violations] for outcome in found] == [
        [("V", "no return")]
    ] * 2
    assert "within 0.3 real seconds" in found[0].violations[0].text
    assert children() == []


def test_a_child_that_dies_is_told() -> None:
    here = os.getpid()

    class Dies(Clean):
        async def stop(self) -> None:
            if os.getpid() != here:
                os._exit(3)
            await super().stop()

    with pytest.raises(ForkFailed, match=r"point=\d+.* in a forked process: it died"):
        ForkedSweep(maker(Dies), load, "", ("stop",)).sweep()
    assert children() == []


def test_ctrl_c_leaves_a_report_and_no_process() -> None:
    here = os.getpid()

    class Slow(Clean):
        async def stop(self) -> None:
            if os.getpid() != here:
                time.sleep(30)
            await super().stop()

    class Interrupted(Children):
        def listen(self) -> None:
            assert len(children()) == len(self.alive) == 2
            raise KeyboardInterrupt

    sweep = ForkedSweep(maker(Slow), load, "", ("stop",))
    sweep.children = 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_taskleak.storm.forking.Children", Interrupted)
        report = sweep.sweep()
    assert (report.interrupted, report.complete) == (True, False)
    assert children() == []


@pytest.mark.parametrize("most", [1, 3])
def test_the_number_of_children_is_bounded(most: int) -> None:
    alive: list[int] = []

    class Counts(Children):
        def split(self, plan: Plan) -> int | None:
            mouth = super().split(plan)
            alive.append(len(self.alive))
            return mouth

    sweep = ForkedSweep(maker(Clean), load, "", ("stop",))
    sweep.children = most
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_taskleak.storm.forking.Children", Counts)
        report = sweep.sweep()
    assert report.complete
    assert max(alive) == most


def test_the_budget_is_kept() -> None:
    sweep = ForkedSweep(maker(Clean), slow_load, "", ("stop", "cancel", "kill", "pair"), budget=0.0)
    report = sweep.sweep()
    assert not report.complete
    assert sum(result.ran for result in report.axes) == 0


def test_a_thread_forbids_it() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, name="somebody")
    thread.start()
    try:
        with pytest.raises(
            ForkRefused, match=r"cannot fork here: other threads are alive: somebody; with mode="
        ):
            ForkedSweep(maker(Clean), load, "", ("stop",)).sweep()
    finally:
        gate.set()
        thread.join()
    assert forks.hindrance() == ""


def test_a_thread_of_the_service_is_refused() -> None:
    class Threads(Clean):
        async def start(self) -> None:
            threading.Thread(target=print, name="its own").start()

    report = ForkedSweep(maker(Threads), load, "", ("stop",)).sweep()
    assert "N" in {cause.oracle for cause in report.causes}
    assert children() == []


def test_a_system_without_fork_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ForkRefused, match=r"this system has no fork\(\)"):
        ForkedSweep(maker(Clean), load, "", ("stop",)).sweep()


@pytest.mark.skipif(sys.platform != "linux", reason="threads of C code are seen on Linux only")
def test_a_thread_of_c_code_forbids_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_taskleak.adapt.os_threads.count", lambda: 3)
    assert forks.hindrance() == "2 thread(s) of C code are alive"


def test_what_a_run_raises_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child whose run comes to nothing says why."""
    here = os.getpid()
    after: Callable[[Any], None] = vars(ForkedSweep.run.__globals__["Run"])["_after"]

    def broken(self: Any) -> None:
        if os.getpid() != here:
            raise LookupError("no such thing")
        after(self)

    monkeypatch.setattr("pytest_taskleak.storm.run.Run._after", broken)
    with pytest.raises(ForkFailed, match="LookupError: no such thing"):
        ForkedSweep(maker(Clean), load, "", ("stop",)).sweep()
    assert children() == []


def test_outcomes_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of an outcome comes back, the texts included."""
    found: list[list[Outcome]] = []
    for kind in (Sweep, ForkedSweep):
        sweep = kind(maker(Loses), load, "", ("stop",))
        with installed(sweep.primitives):
            found.append(list(sweep.outcomes([Plan("stop", point) for point in range(20)], 0.0)))
    assert found[0] == found[1]
