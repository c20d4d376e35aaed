"""Are chance and clocks the same in each run of a storm, and what they were outside of it?"""

# ruff: noqa: PLW0108, S311 -- names are looked up when they are used; chance is what this is about

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import random
import secrets
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from importlib import import_module
from os import urandom
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import pytest

from pytest_taskleak.storm import clocks
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.clocks import EPOCH
from pytest_taskleak.storm.cycles import cycle
from pytest_taskleak.storm.forking import ForkedSweep
from pytest_taskleak.storm.observing import Observer
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.real import RealStorm
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.sweep import Sweep, each, installed
from pytest_taskleak.storm.world import WORLD

HERE = Path(__file__).resolve()
CHANCE: dict[str, Callable[[], Any]] = {
    "random": random.random,
    "sample": lambda: random.sample(range(100), 20),
    "gauss": lambda: random.gauss(0, 1),
    "Random": lambda: random.Random().random(),
    "seed": lambda: (random.seed(), random.random()),
    "secrets": lambda: secrets.token_hex(8),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "urandom": lambda: os.urandom(8),
    "from os": lambda: urandom(8),
    "uuid1": uuid.uuid1,
    "uuid4": uuid.uuid4,
}
CLOCKS: dict[str, Callable[[], Any]] = {
    "time": lambda: time.time(),
    "time_ns": lambda: time.time_ns(),
    "monotonic": lambda: time.monotonic(),
    "monotonic_ns": lambda: time.monotonic_ns(),
    "perf_counter": lambda: time.perf_counter(),
    "perf_counter_ns": lambda: time.perf_counter_ns(),
    "from time": lambda: monotonic(),
    "now": lambda: dt.datetime.now(),
    "now in UTC": lambda: dt.datetime.now(dt.UTC),
}
if sys.version_info >= (3, 14):
    CHANCE |= {"uuid6": uuid.uuid6, "uuid7": uuid.uuid7}
SOURCES = CHANCE | CLOCKS


class Service:
    """Runs one task."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.run(), name="worker")

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def run(self) -> None:
        await asyncio.sleep(0.01)


def sweep_of(service: type[Any], *axes: str, **options: Any) -> Sweep:
    return Sweep(maker(service), None, "Service", axes or ("stop",), **options)


def swept(service: type[Any], *axes: str, **options: Any) -> StormReport:
    return sweep_of(service, *axes, **options).sweep()


class Deciding(Service):
    """Does this or that, as chance and clocks will."""

    async def run(self) -> None:
        for _ in range(6):
            chosen = (
                random.choice((0, 1, 2)),
                uuid.uuid4().int % 3,
                time.time_ns() // 7 % 3,
                int(time.monotonic() * 1e9) // 7 % 3,
                dt.datetime.now().microsecond // 7 % 3,
            )
            for number in chosen:
                for _ in range(number):
                    await asyncio.sleep(random.random() / 100)
                if number == 1:
                    await asyncio.create_task(asyncio.sleep(0), name=f"aside-{number}")


class Losing(Deciding):
    """Forgets a task, if chance will."""

    async def stop(self) -> None:
        if secrets.randbelow(2):
            await super().stop()


# --- the same in each run -----------------------------------------------------------------------


def test_what_chance_and_clocks_decide_is_the_same_in_each_sweep() -> None:
    steps = []
    for _ in range(2):
        sweep = sweep_of(Deciding, "stop", "cancel", "kill")
        report = sweep.sweep()
        assert report.deterministic, report.divergence
        assert report.causes == []
        steps.append(sweep.baseline(0).steps)
    assert steps[0] == steps[1]
    assert len(steps[0]) > 20


def test_without_this_the_self_check_tells_that_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("install", "uninstall"):
        monkeypatch.setattr(WORLD, name, lambda: None)
    report = swept(Deciding)
    assert not report.deterministic
    assert report.divergence


def test_a_seed_is_a_chance_of_its_own() -> None:
    sweep = sweep_of(Deciding, seeds=(0, 1))
    assert sweep.sweep().deterministic
    assert [s.label for s in sweep.baseline(0).steps] != [s.label for s in sweep.baseline(1).steps]


def test_a_token_finds_what_chance_has_decided() -> None:
    sweep = sweep_of(Losing, "stop")
    outcomes = [outcome for outcome in each(sweep) if outcome.plan.axis == "stop"]
    bad = [outcome for outcome in outcomes if outcome.violations]
    assert bad
    assert len(bad) < len(outcomes)
    for cause in swept(Losing, "stop").causes:
        for _ in range(2):
            again = sweep_of(Losing, "stop").replay(cause.token)
            assert cause.oracle in {violation.oracle for violation in again.violations}


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_is_the_same_in_each_run(name: str) -> None:
    heard: list[list[Any]] = []

    class Asking(Service):
        async def run(self) -> None:
            heard.append([])
            for _ in range(3):
                await asyncio.sleep(0.015)
                heard[-1].append(SOURCES[name]())

    with installed((sweep := sweep_of(Asking)).primitives):
        for seed in (0, 0, 1):
            sweep.run(Plan("baseline", -1, seed), Observer())
    first, second, other = heard
    assert len(first) == 3
    assert first == second
    if name in CHANCE:
        assert first != other
    assert len({str(value) for value in first}) == 3


def test_cycles_have_the_same_chance() -> None:
    heard: list[list[Any]] = []

    class Asking(Service):
        async def run(self) -> None:
            heard[-1].append((random.random(), uuid.uuid4(), dt.datetime.now()))

    for _ in range(2):
        heard.append([])
        cycle(maker(Asking), count=3)
    assert heard[0] == heard[1]
    assert len(set(heard[0])) == 3


def test_each_process_has_the_same_chance() -> None:
    code = f"""
import sys
sys.path.insert(0, {str(HERE.parent)!r})
import json, test_world as world
print(json.dumps(world.decisions()))
"""
    found = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
    assert len(found[0]) > 20


def decisions() -> list[str]:
    """Return the steps of a run that chance decides."""
    sweep = sweep_of(Deciding)
    assert sweep.sweep().deterministic
    return [f"{step.label}~{step.occurrence} {step.time!r}" for step in sweep.baseline(0).steps]


def test_a_forked_process_goes_on_with_the_chance_of_its_run() -> None:
    """In a process of its own, since others may have threads."""
    code = f"""
import sys
sys.path.insert(0, {str(HERE.parent)!r})
import test_world
test_world.compare_forked()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


def compare_forked() -> None:
    """Sweep with and without forks, and compare point by point."""

    class Drawing(Deciding):
        async def stop(self) -> None:  # what comes after a fork
            if random.random() < 0.5:
                await super().stop()

    found = []
    for kind in (Sweep, ForkedSweep):
        sweep = kind(maker(Drawing), None, "Drawing", ("stop",))
        with installed(sweep.primitives):
            base = sweep.baseline(0)
            outcomes = list(sweep.outcomes(base.plans("stop", 0), 1e18))
        assert len(outcomes) > 20
        told = {o.plan.point: sorted((v.oracle, v.where) for v in o.violations) for o in outcomes}
        found.append((told, {o.plan.point: o.drain for o in outcomes}))
    assert found[0] == found[1]
    assert [] in found[0][0].values()
    assert any(found[0][0].values())


# --- time passes in virtual time alone ----------------------------------------------------------


def test_tries_with_jitter_come_to_their_end_in_no_time() -> None:
    class Retrying(Service):
        waits: ClassVar[list[float]] = []

        async def run(self) -> None:
            began = time.monotonic()
            for number in range(6):
                await asyncio.sleep(random.uniform(0, 10 * 2**number))
            self.waits.append(time.monotonic() - began)

    began = monotonic()
    report = swept(Retrying, "stop", "cancel", limits=Limits(linger=700.0, live_on=900.0))
    assert report.deterministic
    assert report.causes == []
    assert len(set(Retrying.waits)) == 1
    assert 10 < Retrying.waits[0] < 640
    assert monotonic() - began < 10


def test_entries_expire_in_virtual_time() -> None:
    class Cache(Service):
        seen: ClassVar[list[list[bool]]] = []

        async def run(self) -> None:
            made, seen = time.monotonic(), []
            for _ in range(4):
                await asyncio.sleep(25)
                seen.append(time.monotonic() - made > 60)
            self.seen.append(seen)

    assert swept(Cache, limits=Limits(linger=200.0, live_on=300.0)).causes == []
    assert Cache.seen
    assert all(seen == [False, False, True, True] for seen in Cache.seen)


def test_the_date_leaps_with_the_loop() -> None:
    class Session(Service):
        expired: ClassVar[list[int]] = []

        async def run(self) -> None:
            self.begun = time.time()
            for _ in range(8):
                await asyncio.sleep(0.1)
                if time.time() - self.begun > 1800:
                    self.expired.append(round(time.time() - self.begun))
                    return

    report = swept(Session, "leap", limits=Limits(linger=2.0))
    assert report.deterministic
    assert report.causes == []
    (axis,) = report.axes
    assert 0 < len(Session.expired) <= axis.ran
    assert {span // 3600 for span in Session.expired} == {1}


def test_a_blocking_sleep_takes_virtual_time() -> None:
    class Blocking(Service):
        spans: ClassVar[list[tuple[float, float, bool]]] = []

        async def run(self) -> None:
            fired = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.call_later(100, fired.set)
            before = loop.time()
            time.sleep(1_000)
            self.spans.append((loop.time() - before, time.monotonic() - before, fired.is_set()))
            with pytest.raises(ValueError, match="non-negative"):
                time.sleep(-1)
            with pytest.raises(TypeError):
                time.sleep("long")  # type: ignore[arg-type]
            await fired.wait()

    began = monotonic()
    report = swept(Blocking, limits=Limits(linger=2_000.0, deadline=1_001.0, live_on=5_000.0))
    assert report.causes == []
    assert set(Blocking.spans) == {(1_000.0, 1_000.0, False)}
    assert monotonic() - began < 20


def test_a_sleep_in_a_pool_holds_nobody_up() -> None:
    class Pooled(Service):
        told: ClassVar[list[Any]] = []

        async def run(self) -> None:
            began = time.monotonic()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.to_thread(self.work))
                await asyncio.sleep(10)
                here, done = time.monotonic() - began, task.done()
            self.told.append((here, done, *task.result(), time.monotonic() - began >= 40))

        def work(self) -> tuple[float, float]:
            began = time.monotonic()
            time.sleep(15)
            time.sleep(25)
            return began, time.monotonic()

    report = swept(Pooled, limits=Limits(linger=100.0, live_on=200.0))
    assert {cause.oracle for cause in report.causes} <= {"H"}
    assert Pooled.told
    for here, done, began, ended, late in Pooled.told:
        assert here == 10
        assert not done
        assert ended - began == 40
        assert late


def test_a_stop_that_blocks_for_too_long_is_too_late() -> None:
    class Slow(Service):
        async def stop(self) -> None:
            await super().stop()
            time.sleep(self.seconds)

        seconds = 11.0

    (cause,) = [cause for cause in swept(Slow).causes if cause.oracle == "D"]
    assert "blocks the loop" in cause.text
    Slow.seconds = 9.0
    assert swept(Slow).causes == []


@pytest.mark.parametrize("waits", [False, True])
def test_a_busy_wait_comes_to_its_end(waits: bool) -> None:
    class Busy(Service):
        async def run(self) -> None:
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                if waits:
                    await asyncio.sleep(0)

    with installed((sweep := sweep_of(Busy)).primitives):
        runs = [sweep.run(Plan("baseline"), Observer()) for _ in range(2)]
    assert [run.violations for run in runs] == [[], []]
    assert runs[0].points == runs[1].points


def test_code_that_blocks_and_polls_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "PATIENCE", 0.02)

    class Polling(Service):
        async def run(self) -> None:
            until, gate = time.monotonic() + 0.1, threading.Event()
            while time.monotonic() < until:
                gate.wait(0.001)

    with installed((sweep := sweep_of(Polling)).primitives):
        assert sweep.run(Plan("baseline")).violations == []


# --- outside nothing is changed -----------------------------------------------------------------


def state() -> list[Any]:
    """Return what a storm puts its own in place of, and what it seeds."""
    held = [getattr(time, name) for name in dir(time)]
    held += [
        os.urandom,
        os.getrandom if hasattr(os, "getrandom") else None,
        vars(random),
        vars(random.Random),
    ]
    known = {key: value for key, value in vars(uuid).items() if key != "__builtins__"}
    own = {key: value for key, value in globals().items() if key != "__builtins__"}
    chance = random.getstate()
    return [held, dict(vars(random)), dict(vars(random.Random)), known, own, chance]


def raising(error: BaseException) -> Callable[[str, int, int], None]:
    def progress(axis: str, number: int, planned: int) -> None:
        if number == 3:
            raise error

    return progress


def test_all_is_put_back() -> None:
    before = state()
    assert swept(Deciding).causes == []
    assert state() == before
    with pytest.raises(LookupError):
        swept(Deciding, progress=raising(LookupError("a fault of ours")))
    assert state() == before
    assert swept(Deciding, progress=raising(KeyboardInterrupt())).interrupted
    assert state() == before
    assert abs(dt.datetime.now().timestamp() - time.time()) < 10
    assert not WORLD.users


def test_something_is_replaced_meanwhile() -> None:
    """What makes the test above one that can fail."""
    before = state()
    with installed(sweep_of(Deciding).primitives):
        during = state()
    assert [one != other for one, other in zip(before, during, strict=True)] == [True] * 5 + [False]


def test_what_somebody_else_has_replaced_since_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs: dict[str, Any] = {"monotonic": lambda: 5.0, "urandom": lambda size: b"x" * size}
    monkeypatch.setattr(time, "monotonic", time.monotonic)
    monkeypatch.setattr(os, "urandom", os.urandom)

    def progress(axis: str, number: int, planned: int) -> None:
        time.monotonic, os.urandom = theirs["monotonic"], theirs["urandom"]

    swept(Service, progress=progress)
    assert time.monotonic is theirs["monotonic"]
    assert os.urandom is theirs["urandom"]


def test_what_somebody_has_replaced_before_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)

    class Asking(Service):
        async def run(self) -> None:
            heard.append(time.monotonic())

    assert swept(Asking).causes == []
    assert set(heard) == {5.0}


def test_a_module_that_is_loaded_meanwhile_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded_in_a_storm.py").write_text("from time import monotonic\nfrom uuid import uuid4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    times = set()

    class Importing(Service):
        async def run(self) -> None:
            times.add(import_module("loaded_in_a_storm").monotonic())

    assert swept(Importing).causes == []
    module = sys.modules.pop("loaded_in_a_storm")
    assert times == {1_000.0}
    assert module.monotonic is monotonic
    assert abs(module.monotonic() - time.monotonic()) < 10


def test_other_threads_have_the_real_time() -> None:
    asked, answered = threading.Event(), threading.Event()
    over = False
    heard: list[tuple[Any, ...]] = []

    def listen() -> None:
        while asked.wait() and not over:
            asked.clear()
            now = dt.datetime.now().timestamp()
            heard.append((monotonic(), time.monotonic(), time.time(), now, urandom(8), uuid.uuid4()))
            answered.set()

    class Asking(Service):
        async def run(self) -> None:
            asked.set()
            assert answered.wait(60)
            answered.clear()

    thread = threading.Thread(target=listen)
    thread.start()
    began, date = time.monotonic(), time.time()
    try:
        assert swept(Asking).causes == []
    finally:
        over = True
        asked.set()
        thread.join()
    spent = time.monotonic() - began
    assert len(heard) > 2
    for one, other, shown, now, *_ in heard:
        assert began <= one <= other <= began + spent
        assert date - 1 <= shown <= date + spent + 1
        assert date - 1 <= now <= date + spent + 1
    assert len({row[4:] for row in heard}) == len(heard)


def test_real_mode_has_real_chance_and_clocks() -> None:
    heard = []

    class Asking(Service):
        async def run(self) -> None:
            heard.append((time.time(), os.urandom(8)))

    before = time.time()
    limits = Limits(deadline=2.0, linger=0.001, live_on=0.001)
    RealStorm(maker(Asking), None, "Asking", ("stop",), moments=2, limits=limits).sweep()
    assert len({drawn for _, drawn in heard}) == len(heard) > 1
    assert all(0 <= shown - before < 100 for shown, _ in heard)


# --- the date -----------------------------------------------------------------------------------


class Dated(Service):
    """Asks for the date in two ways."""

    seen: ClassVar[list[tuple[float, float]]]

    async def run(self) -> None:
        await asyncio.sleep(0.5)
        self.seen.append((time.time(), dt.datetime.now().timestamp()))


@pytest.fixture
def dated() -> type[Dated]:
    return type("Dated", (Dated,), {"seen": []})


def test_the_date_is_one_of_the_storms_own(dated: type[Dated]) -> None:
    pytest.importorskip("time_machine")
    assert swept(dated).causes == []
    assert set(dated.seen) == {(EPOCH + 0.5, EPOCH + 0.5)}


def test_the_date_begins_with_the_one_that_the_test_travels_to(dated: type[Dated]) -> None:
    time_machine = pytest.importorskip("time_machine")
    with time_machine.travel(dt.datetime(2031, 5, 6, tzinfo=dt.UTC), tick=False):
        began = time.time()
        assert swept(dated).causes == []
        assert time.time() == began
    assert set(dated.seen) == {(began + 0.5, began + 0.5)}


def test_without_time_machine_the_date_begins_with_the_real_one(
    dated: type[Dated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "time_machine", None)
    began = time.time()
    report = swept(dated)
    assert report.deterministic
    assert report.causes == []
    assert len({shown for shown, _ in dated.seen}) == 1
    assert all(0 <= shown - began <= 2 for shown, _ in dated.seen)
    assert all(abs(shown - now) < 60 for shown, now in dated.seen)


def test_without_time_machine_identifiers_follow_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "time_machine", None)
    heard = []

    class Asking(Service):
        async def run(self) -> None:
            heard.append((uuid.uuid1(), uuid.uuid1(), time.time_ns()))

    assert swept(Asking).causes == []
    assert len(set(heard)) == 1
    first, second, shown = heard[0]
    assert first.time < second.time
    assert abs(first.time * 100 - 0x01B21DD213814000 * 100 - shown) < 1_000_000


def test_a_date_that_is_frozen_stays(dated: type[Dated]) -> None:
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time("2031-05-06"):
        began = time.time()
        report = swept(dated)
        assert time.time() == began
    assert report.deterministic
    assert report.causes == []
    assert set(dated.seen) == {(began, began)}
    assert abs(time.monotonic() - monotonic()) < 10


MARKED = """
import time

@pytest.fixture
def token():
    return time.time() + 300

@pytest.mark.taskleak(cancel="each")
async def test_it(token):
    await asyncio.sleep(1)
    assert 0 < token - time.time() < 300
"""


def test_a_test_that_is_run_again_has_the_date_of_its_fixtures(suite: Any) -> None:
    done = suite(MARKED)
    assert done.failed() == [], done.out
    assert "runs in" in str(done.one("test_it", "call"))  # it was run again
