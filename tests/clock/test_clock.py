"""Does time on a fake clock pass as on a real one, only faster?"""

from __future__ import annotations

import asyncio
import copy
import gc
import math
import os
import time
import weakref
from typing import Any

import pytest

from pytest_taskleak import FakeClock, FakeClockError, LivelockError, UnsupportedLoop

pytestmark = pytest.mark.asyncio
YEAR = 365.25 * 86400.0


async def ticker(out: list[float], clock: FakeClock, period: float) -> None:
    while True:
        await asyncio.sleep(period)
        out.append(clock.elapsed)


@pytest.mark.parametrize("delay", [0.1, 1 / 3, 1, 7.25, 3600, 86400, 97 * 86400, 1e8, 1e9, 1000 * YEAR])
async def test_a_sleep_takes_exactly_its_time(fake_clock: FakeClock, delay: float) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.sleep(delay)
    assert loop.time() - before == round(delay, 9)
    assert fake_clock.elapsed == round(delay, 9)


async def test_sums_stay_exact(fake_clock: FakeClock) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    for _ in range(1000):
        await asyncio.sleep(0.1)
    assert loop.time() - before == 100
    assert before + 100 - loop.time() == 0


async def test_a_time_is_a_plain_number_elsewhere(fake_clock: FakeClock) -> None:
    now = asyncio.get_running_loop().time()
    assert type(copy.deepcopy(now)) is float
    assert now == float(now)
    assert repr(now) == repr(float(now))
    assert math.isnan(now - math.nan)
    assert now - math.inf == -math.inf


async def test_hours_take_milliseconds(fake_clock: FakeClock) -> None:
    began = time.perf_counter()
    for _ in range(3600):
        await asyncio.sleep(1)
    assert time.perf_counter() - began < 3.6
    assert fake_clock.elapsed == 3600
    assert fake_clock.stats.jumps == 3600
    assert not fake_clock.stats.real_wait


async def test_equal_timers_fire_in_the_order_of_their_birth(fake_clock: FakeClock) -> None:
    loop = asyncio.get_running_loop()
    order: list[int] = []
    for number in range(100):
        loop.call_at(loop.time() + 5, order.append, number)
    await asyncio.sleep(6)
    assert order == list(range(100))


async def test_a_timeout_ends_what_never_ends(fake_clock: FakeClock) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await asyncio.Event().wait()
    assert fake_clock.elapsed == 30
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 5)
    assert fake_clock.elapsed == 35


async def test_a_timeout_of_zero(fake_clock: FakeClock) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(1)
    assert fake_clock.elapsed == 0


async def test_time_stands_while_something_can_run(fake_clock: FakeClock) -> None:
    turns = 0

    async def work() -> None:
        nonlocal turns
        for _ in range(500):
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.timeout(1e-6):
        await work()
    assert turns == 500
    assert fake_clock.elapsed == 0


async def test_a_busy_wait_lets_time_creep(fake_clock: FakeClock) -> None:
    done: list[int] = []
    asyncio.get_running_loop().call_later(0.002, done.append, 1)
    while not done:
        await asyncio.sleep(0)
    assert 0.002 <= fake_clock.elapsed < 0.01
    assert fake_clock.stats.busy_turns


async def test_lateness() -> None:
    async with FakeClock(lateness=1e-3) as clock:
        await asyncio.sleep(1)
        assert clock.elapsed == 1.001


# --- by hand -----------------------------------------------------------------------------------------


async def test_advance_stops_at_every_timer(fake_clock: FakeClock) -> None:
    fake_clock.auto = False
    seen: list[float] = []
    task = asyncio.create_task(ticker(seen, fake_clock, 1))
    await fake_clock.advance(3.5)
    assert seen == [1, 2, 3]
    assert fake_clock.elapsed == 3.5
    await fake_clock.advance(0.5)
    assert seen == [1, 2, 3, 4]
    task.cancel()


async def test_advance_settles_what_a_timer_sets_off(fake_clock: FakeClock) -> None:
    fake_clock.auto = False
    seen: list[str] = []

    async def chain() -> None:
        await asyncio.sleep(1)
        for _ in range(10):
            await asyncio.sleep(0)
        seen.append("settled")
        await asyncio.sleep(1)
        seen.append("armed again")

    task = asyncio.create_task(chain())
    await fake_clock.advance(1)
    assert seen == ["settled"]
    await fake_clock.advance(0)
    assert seen == ["settled"]
    await fake_clock.advance(1)
    assert seen == ["settled", "armed again"]
    await task


async def test_advance_to_a_time(fake_clock: FakeClock) -> None:
    fake_clock.auto = False
    when = fake_clock.now + 10
    await fake_clock.advance_to(when)
    assert fake_clock.now == when
    with pytest.raises(FakeClockError, match="takes a time from now"):
        fake_clock.advance_to(when - 1)


async def test_next_goes_to_the_next_timer(fake_clock: FakeClock) -> None:
    fake_clock.auto = False
    seen: list[int] = []
    loop = asyncio.get_running_loop()
    loop.call_later(2, seen.append, 2)
    loop.call_later(5, seen.append, 5)
    before = fake_clock.now
    assert await fake_clock.next() == before + 2
    assert seen == [2]
    assert await fake_clock.next() == before + 5
    assert await fake_clock.next() is None
    assert fake_clock.elapsed == 5


async def test_settle_moves_no_time(fake_clock: FakeClock) -> None:
    fake_clock.auto = False
    ready = asyncio.Event()

    async def set_later() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        ready.set()
        await asyncio.sleep(1)

    task = asyncio.create_task(set_later())
    await fake_clock.settle()
    assert ready.is_set()
    assert not task.done()
    assert fake_clock.elapsed == 0
    await fake_clock.advance(1)


async def test_run_until_idle_leaves_background_tasks(fake_clock: FakeClock) -> None:
    seen: list[float] = []
    beat = fake_clock.background(asyncio.create_task(ticker(seen, fake_clock, 10)))
    asyncio.get_running_loop().call_later(25, seen.append, -1)
    await fake_clock.run_until_idle()
    assert seen == [10, 20, -1]
    assert fake_clock.elapsed == 25
    beat.cancel()


async def test_run_until_idle_says_what_never_ends(fake_clock: FakeClock) -> None:
    task = asyncio.create_task(ticker([], fake_clock, 1))
    with pytest.raises(LivelockError, match="stopped at 50 times"):
        await fake_clock.run_until_idle(max_timers=50)
    task.cancel()


async def test_auto_moves_on_while_somebody_advances(fake_clock: FakeClock) -> None:
    seen: list[float] = []
    task = asyncio.create_task(ticker(seen, fake_clock, 1))
    await fake_clock.advance(2)
    await asyncio.sleep(2)
    assert seen[:3] == [1, 2, 3]
    assert fake_clock.elapsed == 4
    task.cancel()


async def test_two_tasks_advance_at_once(fake_clock: FakeClock) -> None:
    fake_clock.auto = False

    async def move(delay: float) -> float:
        await fake_clock.advance(delay)
        return fake_clock.elapsed

    assert list(await asyncio.gather(move(5), move(2))) == [5.0, 2.0]


async def test_an_advance_that_is_cancelled_is_forgotten(fake_clock: FakeClock) -> None:
    fake_clock.auto = False
    with fake_clock.hold("nothing at all"):

        async def move() -> None:
            await fake_clock.advance(100)

        task = asyncio.create_task(move())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await fake_clock.settle()
    assert fake_clock.elapsed == 0


async def test_tick_runs_nothing(fake_clock: FakeClock) -> None:
    seen: list[int] = []
    asyncio.get_running_loop().call_later(1, seen.append, 1)
    fake_clock.tick(5)
    assert seen == []
    assert fake_clock.elapsed == 5
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == [1]


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, True, "1", None])
async def test_bad_durations_are_refused(fake_clock: FakeClock, value: Any) -> None:
    with pytest.raises(FakeClockError, match="takes seconds, 0 or more"):
        fake_clock.advance(value)
    with pytest.raises(FakeClockError, match="takes seconds, 0 or more"):
        fake_clock.tick(value)


async def test_auto_must_be_a_bool(fake_clock: FakeClock) -> None:
    with pytest.raises(FakeClockError, match="True or False"):
        fake_clock.auto = "no"  # type: ignore[assignment]


# --- the real world ----------------------------------------------------------------------------------


async def test_hold_lets_time_stand(fake_clock: FakeClock) -> None:
    sleeper = asyncio.create_task(asyncio.sleep(1))
    loop = asyncio.get_running_loop()
    with fake_clock.hold("the broker"):
        read, write = await asyncio.to_thread(_pipe)
        got = loop.create_future()

        def answer() -> None:
            if not got.done():
                got.set_result(None)

        loop.add_reader(read, answer)
        os.write(write, b"x")
        await got
        loop.remove_reader(read)
        assert fake_clock.elapsed == 0
    await sleeper
    assert fake_clock.elapsed == 1
    os.close(read)
    os.close(write)


def _pipe() -> tuple[int, int]:
    return os.pipe()


async def test_real_time_for_a_block(fake_clock: FakeClock) -> None:
    with fake_clock.real():
        began = time.perf_counter()
        await asyncio.sleep(0.02)
        assert time.perf_counter() - began >= 0.0195
    real = fake_clock.elapsed
    assert real >= 0.0195
    await asyncio.sleep(100)
    assert fake_clock.elapsed == pytest.approx(real + 100)


# --- in and out --------------------------------------------------------------------------------------


async def test_everything_is_undone() -> None:
    loop: Any = asyncio.get_running_loop()
    selector = loop._selector
    before = (dict(vars(selector)), loop._clock_resolution, asyncio.events._set_running_loop)
    names = set(vars(loop))
    async with FakeClock():
        await asyncio.sleep(10)
    assert (dict(vars(selector)), loop._clock_resolution, asyncio.events._set_running_loop) == before
    assert set(vars(loop)) - names <= {"time"}
    assert asyncio.events.TimerHandle is asyncio.TimerHandle


async def test_time_never_goes_back() -> None:
    loop = asyncio.get_running_loop()
    times = [loop.time()]
    for _ in range(3):
        async with FakeClock():
            times.append(loop.time())
            await asyncio.sleep(1000)
            times.append(loop.time())
        times.append(loop.time())
    assert times == sorted(times)


async def test_a_timer_keeps_its_remaining_delay() -> None:
    loop = asyncio.get_running_loop()
    handle = loop.call_later(100, print)
    left = handle.when() - loop.time()
    async with FakeClock():
        assert handle.when() - loop.time() == pytest.approx(left, abs=0.5)
        await asyncio.sleep(60)
        assert handle.when() - loop.time() == pytest.approx(left - 60, abs=0.5)
    assert handle.when() - loop.time() == pytest.approx(left - 60, abs=0.5)
    handle.cancel()


async def test_outside_of_its_block_it_says_so() -> None:
    clock = FakeClock()
    with pytest.raises(FakeClockError, match="needs the clock in force"):
        clock.advance(1)


async def test_one_virtual_time_in_a_process(fake_clock: FakeClock) -> None:
    with pytest.raises(FakeClockError, match="another fake clock is in force"), FakeClock():
        pass
    await asyncio.sleep(1)
    assert fake_clock.elapsed == 1


async def test_start() -> None:
    async with FakeClock(start=1000) as clock:
        assert asyncio.get_running_loop().time() == 1000
        await asyncio.sleep(1)
        assert clock.now == 1001


async def test_start_is_refused_where_somebody_waits() -> None:
    handle = asyncio.get_running_loop().call_later(1, print)
    with pytest.raises(FakeClockError, match="loop without timers"):
        async with FakeClock(start=0):
            pass
    handle.cancel()
    await asyncio.sleep(0)


async def test_nothing_is_kept_alive() -> None:
    class Thing:
        def call(self) -> None: ...

    thing = Thing()
    reference = weakref.ref(thing)
    async with FakeClock() as clock:
        asyncio.get_running_loop().call_later(1, thing.call)
        del thing
        await asyncio.sleep(2)
        gc.collect()
        assert reference() is None
    del clock


async def test_a_closed_loop_is_forgotten(fake_clock: FakeClock) -> None:
    def run() -> weakref.ref[asyncio.AbstractEventLoop]:
        with asyncio.Runner() as runner:
            runner.run(asyncio.sleep(5))
            return weakref.ref(runner.get_loop())

    reference = await asyncio.to_thread(run)
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"atuo": True}, "there is no option 'atuo'"),
        ({"auto": 1}, "auto must be True or False - got 1"),
        ({"io": "wait"}, "io must be one of grace, freeze, ignore - got 'wait'"),
        ({"io_grace": -1}, "io_grace must be seconds, 0 or more - got -1"),
        ({"hang_after": 0}, "hang_after must be seconds, more than 0 - got 0"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"wall": "2020"}, "wall must be a datetime, or None - got '2020'"),
        ({"modules": 5}, "modules must be names of packages"),
        ({"driver": "fast"}, "driver must be one of auto, hooks, step"),
        ({"lateness": math.nan}, "lateness must be seconds"),
    ],
)
async def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FakeClock(**options)


async def test_its_repr_is_plain(fake_clock: FakeClock) -> None:
    await asyncio.sleep(1.5)
    assert repr(fake_clock) == "<FakeClock in force, 1.5 s elapsed, auto=True, 1 jump over 1.5 s>"


# --- timers ------------------------------------------------------------------------------------------


async def test_timers(fake_clock: FakeClock) -> None:
    loop = asyncio.get_running_loop()
    sleeper = asyncio.create_task(asyncio.sleep(7), name="sleeper")
    loop.call_later(298, print)
    async with asyncio.timeout(30):
        await asyncio.sleep(0)
        found = fake_clock.timers()
    own = asyncio.current_task()
    assert own is not None
    assert [(timer.due_in, timer.callback, timer.task) for timer in found] == [
        (7, "sleep", "sleeper"),
        (30, "timeout", own.get_name()),
        (298, "builtins.print", ""),
    ]
    assert found[2].created_at.startswith(f"{__file__}:")
    assert str(found[0]).startswith("due in 7 s, sleep, of task 'sleeper'")
    found[2].handle.cancel()
    assert [timer.due_in for timer in fake_clock.timers()] == [7]
    sleeper.cancel()


async def test_waits(fake_clock: FakeClock) -> None:
    event = asyncio.Event()
    task = asyncio.create_task(event.wait(), name="waiter")
    await asyncio.sleep(0)
    labels = " ".join(node.label for node in fake_clock.waits().nodes)
    assert "waiter" in labels
    task.cancel()


async def test_a_loop_of_another_kind_is_refused(fake_clock: FakeClock) -> None:
    def run(self: Any) -> None:
        asyncio.events._set_running_loop(self)

    foreign: Any = type("Foreign", (asyncio.AbstractEventLoop,), {"run": run})
    with pytest.raises(UnsupportedLoop, match="Foreign keeps its timers where Python cannot reach them"):
        await asyncio.to_thread(foreign().run)
