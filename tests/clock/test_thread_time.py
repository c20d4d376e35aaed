"""Threads in virtual time, and several loops in several threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import heapq
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from anyio import to_thread
from anyio.from_thread import start_blocking_portal

from pytest_taskleak import ExternalWorkTimeout, FakeClock
from pytest_taskleak.timing import now as real_now
from pytest_taskleak.timing import pause

MUCH = 20.0
"""Real seconds within which hours must be over, however busy the machine is."""
PLACES = (
    (time, "sleep"),
    (threading.Condition, "wait"),
    (threading.Thread, "join"),
    (threading, "_time"),
    (queue, "time"),
    (concurrent.futures._base, "time"),
)
Log = list[tuple[float, str]]


@contextmanager
def quickly(seconds: float = MUCH) -> Iterator[None]:
    """Assert that a block did not wait for real time."""
    began = real_now()
    yield
    assert real_now() - began < seconds


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A clock in force, threads included."""
    with FakeClock(threads=True) as clock:
        yield clock


@pytest.fixture(params=[False, True], ids=["loops", "threads"])
def either(request: pytest.FixtureRequest) -> Iterator[FakeClock]:
    """A clock in force, without threads or with them."""
    with FakeClock(threads=request.param) as clock:
        yield clock


def started(*functions: Callable[[], object]) -> list[threading.Thread]:
    """Start a thread for each function."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    return threads


def joined(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def sleeper(clock: FakeClock, log: Log, name: str, *delays: float) -> Callable[[], None]:
    """Return what sleeps and notes each time when it wakes up."""

    def sleep() -> None:
        for delay in delays:
            time.sleep(delay)
            log.append((clock.elapsed, name))

    return sleep


def span(clock: FakeClock, function: Callable[[], Any]) -> float:
    """Return for how long a function waits."""
    began = clock.elapsed
    function()
    return round(clock.elapsed - began, 9)


# --- sleep --------------------------------------------------------------------------------------


def test_sleeps_of_threads_interleave_with_the_timers_of_a_loop(clock: FakeClock) -> None:
    log: Log = []

    async def tick() -> None:
        threads = started(sleeper(clock, log, "a", 10, 10, 10), sleeper(clock, log, "b", 10, 10, 10))
        for _ in range(4):
            await asyncio.sleep(8)
            log.append((clock.elapsed, "tick"))
        await asyncio.to_thread(joined, threads)

    with quickly():
        asyncio.run(tick())
    assert [when for when, _ in log] == [8, 10, 10, 16, 20, 20, 24, 30, 30, 32]
    assert [name for when, name in log if not when % 8] == ["tick"] * 4


def test_sleeps_interleave_without_any_loop(clock: FakeClock) -> None:
    log: Log = []
    threads = started(sleeper(clock, log, "a", 8, 8, 8, 8), sleeper(clock, log, "b", *[28] * 4))
    with quickly():
        time.sleep(10)
        log.append((clock.elapsed, "main"))
        joined(threads)
    assert log == [
        *(
            (8, "a"),
            (10, "main"),
            (16, "a"),
            (24, "a"),
            (28, "b"),
            (32, "a"),
            (56, "b"),
            (84, "b"),
            (112, "b"),
        )
    ]


def test_a_thread_sleeps_for_days(clock: FakeClock) -> None:
    log: Log = []
    with quickly():
        joined(started(sleeper(clock, log, "a", 86_400, 1e7, 0.5)))
    assert [when for when, _ in log] == [86_400, 10_086_400, 10_086_400.5]


def test_no_duration_is_refused_as_in_life(clock: FakeClock) -> None:
    nothing: Any = None
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)
    with pytest.raises(ValueError, match=r"NaN|nan|Invalid"):
        time.sleep(float("nan"))
    with pytest.raises(TypeError):
        time.sleep(nothing)
    with pytest.raises(OverflowError):
        time.sleep(float("inf"))
    time.sleep(0)
    time.sleep(False)
    assert clock.elapsed == 0
    time.sleep(True)
    assert clock.elapsed == 1


def test_a_class_may_hold_the_sleep_of_the_clock(clock: FakeClock) -> None:
    class Retry:
        pause: Any = time.sleep

    Retry().pause(5)
    assert clock.elapsed == 5


@pytest.mark.parametrize("seed", range(5))
def test_random_sleeps_follow_the_schedule(clock: FakeClock, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- a schedule is no secret
    plans = {str(n): [chance.randint(1, 40) / 4 for _ in range(chance.randint(1, 5))] for n in range(20)}
    heap = [(delays[0], name, 0) for name, delays in plans.items()]
    heapq.heapify(heap)
    expected: Log = []
    while heap:
        when, name, at = heapq.heappop(heap)
        expected.append((when, name))
        if at + 1 < len(plans[name]):
            heapq.heappush(heap, (when + plans[name][at + 1], name, at + 1))
    log: Log = []
    with quickly():
        joined(started(*(sleeper(clock, log, name, *delays) for name, delays in plans.items())))
    assert [when for when, _ in log] == [when for when, _ in expected]
    assert sorted(log) == sorted(expected)


def test_a_thread_that_is_busy_holds_time(clock: FakeClock) -> None:
    done: list[float] = []

    def work() -> None:
        end = real_now() + 0.1
        while real_now() < end:
            pass
        done.append(clock.elapsed)

    threads = started(work)
    time.sleep(5)
    assert done == [0]
    assert clock.elapsed == 5
    joined(threads)


def test_a_thread_that_only_asks_holds_time(clock: FakeClock) -> None:
    event, items = threading.Event(), queue.Queue[int]()
    done: list[float] = []

    def ask() -> None:
        other = threading.main_thread()
        for _ in range(1000):
            assert not event.wait(0)
            other.join(0)
            with pytest.raises(queue.Empty):
                items.get(timeout=0)
        done.append(clock.elapsed)

    threads = started(ask)
    time.sleep(5)
    assert done == [0]
    joined(threads)


def test_a_thread_that_ends_while_others_sleep_does_not_hold_time(clock: FakeClock) -> None:
    log: Log = []
    with quickly():
        joined(started(sleeper(clock, log, "short", 1), sleeper(clock, log, "long", 1000)))
    assert log == [(1, "short"), (1000, "long")]


def test_locks_that_are_held_in_sleep(clock: FakeClock) -> None:
    lock, again = threading.Lock(), threading.RLock()
    log: Log = []

    def hold() -> None:
        with lock, again:
            time.sleep(10)
            log.append((clock.elapsed, "held"))

    with quickly():
        joined(started(hold, hold, hold))
    assert log == [(10, "held"), (20, "held"), (30, "held")]


def test_a_thread_of_a_subclass_and_one_that_raises(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    log: Log = []

    class Worker(threading.Thread):
        def run(self) -> None:
            time.sleep(3)
            log.append((clock.elapsed, "worker"))

    def fail() -> None:
        time.sleep(2)
        raise LookupError("lost")

    worker = Worker(daemon=True)
    worker.start()
    threads = started(fail, sleeper(clock, log, "other", 4))
    with quickly():
        joined([worker, *threads])
    assert log == [(3, "worker"), (4, "other")]
    assert [str(error) for error in told] == ["lost"]


# --- conditions and what is built on them -----------------------------------------------------------


def test_a_queue_gives_up_or_gets_what_comes_before(clock: FakeClock) -> None:
    items: queue.Queue[str] = queue.Queue()

    def put() -> None:
        time.sleep(3)
        items.put("late")

    with quickly():
        threads = started(put)
        assert items.get(timeout=7) == "late"
        assert clock.elapsed == 3
        with pytest.raises(queue.Empty):
            items.get(timeout=7)
    assert clock.elapsed == 10
    joined(threads)


def test_a_full_queue(clock: FakeClock) -> None:
    items: queue.Queue[int] = queue.Queue(maxsize=1)
    items.put(1)
    with quickly(), pytest.raises(queue.Full):
        items.put(2, timeout=3600)
    assert clock.elapsed == 3600


def test_a_queue_that_others_empty_first(clock: FakeClock) -> None:
    """A waiter that is notified and finds nothing goes on waiting for the rest of its time."""
    items: queue.Queue[int] = queue.Queue()

    def nudge() -> None:
        for _ in range(3):
            time.sleep(2)
            with items.not_empty:
                items.not_empty.notify()

    threads = started(nudge)
    with quickly(), pytest.raises(queue.Empty):
        items.get(timeout=7)
    assert clock.elapsed == 7
    joined(threads)


def test_events(clock: FakeClock) -> None:
    event = threading.Event()
    timer = threading.Timer(60, event.set)
    timer.start()
    with quickly():
        assert not event.wait(59.5)
        assert event.wait(3600)
        assert clock.elapsed == 60
        timer.join()
    never = threading.Timer(3600, event.clear)
    never.start()
    never.cancel()
    never.join()
    assert event.wait(1)
    assert clock.elapsed == 60


def test_a_semaphore_and_a_barrier(clock: FakeClock) -> None:
    semaphore = threading.Semaphore(0)
    barrier = threading.Barrier(2)

    def release() -> None:
        time.sleep(4)
        semaphore.release()
        time.sleep(4)
        barrier.wait(timeout=10)

    with quickly():
        threads = started(release)
        assert not semaphore.acquire(timeout=1)
        assert semaphore.acquire(timeout=10)
        assert clock.elapsed == 4
        barrier.wait(timeout=10)
        assert clock.elapsed == 8
        with pytest.raises(threading.BrokenBarrierError):
            barrier.wait(timeout=10)
    assert clock.elapsed == 18
    joined(threads)


def test_a_condition_with_a_predicate(clock: FakeClock) -> None:
    condition = threading.Condition()
    state = [0]

    def change() -> None:
        for _ in range(3):
            time.sleep(2)
            with condition:
                state[0] += 1
                condition.notify_all()

    with quickly():
        threads = started(change)
        with condition:
            assert condition.wait_for(lambda: state[0] == 3, timeout=100)
            assert clock.elapsed == 6
            assert not condition.wait_for(lambda: state[0] == 4, timeout=100)
    assert clock.elapsed == 106
    joined(threads)


def test_a_condition_that_a_loop_notifies(clock: FakeClock) -> None:
    condition = threading.Condition(threading.Lock())
    seen: list[tuple[bool, float]] = []

    def wait() -> None:
        with condition:
            seen.extend((condition.wait(timeout), clock.elapsed) for timeout in (10, 3))

    async def notify() -> None:
        threads = started(wait)
        await asyncio.sleep(3)
        with condition:
            condition.notify()
        await asyncio.to_thread(joined, threads)

    with quickly():
        asyncio.run(notify())
    assert seen == [(True, 3), (False, 6)]


def test_a_notice_is_not_lost_on_who_gave_up_before(clock: FakeClock) -> None:
    condition = threading.Condition()
    seen: list[tuple[str, bool]] = []

    def wait(name: str, timeout: float) -> Callable[[], None]:
        def block() -> None:
            with condition:
                seen.append((name, condition.wait(timeout)))

        return block

    def notify() -> None:
        time.sleep(5)
        with condition:
            condition.notify()

    with quickly():
        joined(started(wait("gives up", 5), wait("gets it", 50), notify))
    assert {name for name, _ in seen} == {"gives up", "gets it"}
    assert sum(got for _, got in seen) == 1


def test_a_condition_whose_lock_is_held_in_sleep(clock: FakeClock) -> None:
    """Who wakes up must take the lock again, and that is no work."""
    seen: list[tuple[str, float]] = []

    def wait(condition: threading.Condition) -> Callable[[], None]:
        def block() -> None:
            with condition:
                assert not condition.wait(5)
                seen.append(("woken", clock.elapsed))

        return block

    def hold(condition: threading.Condition) -> Callable[[], None]:
        def block() -> None:
            time.sleep(2)
            with condition:
                time.sleep(10)
                seen.append(("held", clock.elapsed))

        return block

    for lock in (threading.Lock(), threading.RLock()):
        condition = threading.Condition(lock)
        with quickly(4):
            joined(started(wait(condition), hold(condition)))
    assert seen == [("held", 12), ("woken", 12), ("held", 24), ("woken", 24)]


def test_a_condition_without_its_lock(clock: FakeClock) -> None:
    with pytest.raises(RuntimeError, match="un-acquired lock"):
        threading.Condition().wait(5)
    assert clock.elapsed == 0


def test_nothing_stays_in_a_condition(clock: FakeClock) -> None:
    condition = threading.Condition(threading.RLock())
    with condition, condition:
        assert not condition.wait(5)
        assert repr(condition).endswith(", 0)>")


def test_joins(clock: FakeClock) -> None:
    log: Log = []
    (thread,) = started(sleeper(clock, log, "a", 10))
    with quickly():
        thread.join(4)
        assert thread.is_alive()
        assert clock.elapsed == 4
        thread.join(timeout=100)
        assert not thread.is_alive()
        assert clock.elapsed == 10
        thread.join(5)
    assert clock.elapsed == 10
    with pytest.raises(RuntimeError, match="before it is started"):
        threading.Thread().join(1)
    with pytest.raises(RuntimeError, match="current thread"):
        threading.current_thread().join(1)


def test_futures(clock: FakeClock) -> None:
    def work(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    with quickly(), ThreadPoolExecutor(4) as pool:
        future = pool.submit(work, 10)
        with pytest.raises(TimeoutError):
            future.result(timeout=4)
        assert clock.elapsed == 4
        assert future.result(timeout=100) == 10
        assert clock.elapsed == 10
        few = [pool.submit(work, seconds) for seconds in (3, 1, 2)]
        done, rest = concurrent.futures.wait(few, timeout=2.5)
        assert (len(done), len(rest), clock.elapsed) == (2, 1, 12.5)
        assert span(clock, lambda: concurrent.futures.wait(few)) == 0.5
        more = [pool.submit(work, seconds) for seconds in (3, 1, 2, 40)]
        got: list[float] = []
        with pytest.raises(TimeoutError):
            got.extend(each.result() for each in concurrent.futures.as_completed(more, timeout=20))
        assert got == [1, 2, 3]
        assert clock.elapsed == 33
    assert clock.elapsed == 53


def test_the_results_of_a_map(clock: FakeClock) -> None:
    with quickly(), ThreadPoolExecutor(2) as pool:
        with pytest.raises(TimeoutError):
            list(pool.map(time.sleep, [5, 50], timeout=10))
        assert clock.elapsed == 10
    assert clock.elapsed == 50


# --- what is of C, and stays in real time ------------------------------------------------------------


def test_a_lock_with_a_timeout_is_got_when_it_is_free(clock: FakeClock) -> None:
    lock = threading.Lock()
    held = threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            time.sleep(10)

    threads = started(hold)
    held.wait()
    with quickly():
        assert lock.acquire(timeout=100)
    assert clock.elapsed == 10
    assert not lock.acquire(timeout=0.01)
    assert clock.elapsed == 10
    joined(threads)


def test_a_simple_queue_gets_what_comes(clock: FakeClock) -> None:
    items: queue.SimpleQueue[str] = queue.SimpleQueue()

    def put() -> None:
        time.sleep(10)
        items.put("late")

    threads = started(put)
    with quickly():
        assert items.get(timeout=100) == "late"
    assert clock.elapsed == 10
    with pytest.raises(queue.Empty):
        items.get(timeout=0.01)
    assert clock.elapsed == 10
    joined(threads)


# --- in vain ----------------------------------------------------------------------------------------


def test_a_thread_that_never_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    stop: list[bool] = []

    def spin() -> None:
        while not stop:
            pause(0.001)

    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    threads: list[threading.Thread] = []
    try:
        with (
            pytest.raises(ExternalWorkTimeout, match="spin"),
            FakeClock(threads=True, hang_after=0.2) as clock,
        ):
            threads += started(spin, sleeper(clock, [], "other", 0.01))
            time.sleep(3600)
    finally:
        stop.append(True)
        joined(threads)
    assert told == []


# --- loops ------------------------------------------------------------------------------------------


def test_a_timeout_of_a_loop_over_a_thread_that_sleeps(clock: FakeClock) -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.to_thread(time.sleep, 30)
        return clock.elapsed

    with quickly():
        assert asyncio.run(main()) == 5
    assert clock.elapsed == 30  # asyncio.run waits for its pool


def test_a_thread_that_is_just_in_time(clock: FakeClock) -> None:
    async def main() -> None:
        async with asyncio.timeout(5):
            await asyncio.to_thread(time.sleep, 4.999)
        async with asyncio.timeout(5):
            await to_thread.run_sync(time.sleep, 4.999)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await to_thread.run_sync(time.sleep, 5.001, abandon_on_cancel=True)

    with quickly():
        asyncio.run(main())


def test_a_thread_calls_back(clock: FakeClock) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def work() -> None:
            time.sleep(7)
            loop.call_soon_threadsafe(future.set_result, clock.elapsed)

        threads = started(work)
        got: float = await asyncio.wait_for(future, 7.5)
        joined(threads)
        return got

    with quickly():
        assert asyncio.run(main()) == 7


def test_idle_workers_do_not_hold_time(clock: FakeClock) -> None:
    async def main() -> float:
        await asyncio.gather(*(asyncio.to_thread(time.sleep, 1) for _ in range(4)))
        await asyncio.sleep(3600)
        return clock.elapsed

    with quickly(), ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        assert asyncio.run(main()) == 3601


def test_a_sleep_that_blocks_a_loop_is_told(clock: FakeClock) -> None:
    log: Log = []

    async def tick() -> None:
        await asyncio.sleep(1)
        log.append((clock.elapsed, "task"))

    async def main() -> None:
        task = asyncio.create_task(tick())
        threads = started(sleeper(clock, log, "thread", 3))
        await asyncio.sleep(0)
        time.sleep(10)
        log.append((clock.elapsed, "blocked"))
        await task
        joined(threads)

    with quickly():
        asyncio.run(main())
    assert log == [(3, "thread"), (10, "blocked"), (10, "task")]
    assert any("time.sleep(10) at" in note and "blocks the loop" in note for note in clock.stats.notes)


def test_a_wait_that_blocks_a_loop(clock: FakeClock) -> None:
    log: Log = []

    async def main() -> None:
        (thread,) = started(sleeper(clock, log, "thread", 3))
        thread.join(2)
        assert clock.elapsed == 2
        with pytest.raises(queue.Empty):
            queue.Queue[int]().get(timeout=10)
        assert clock.elapsed == 12
        await asyncio.sleep(1)

    with quickly():
        asyncio.run(main())
    assert log == [(3, "thread")]
    assert clock.elapsed == 13


def test_loops_in_two_threads_interleave(either: FakeClock) -> None:
    log: Log = []
    both = threading.Barrier(2)

    async def tick(name: str, period: float, times: int) -> None:
        both.wait()
        for _ in range(times):
            await asyncio.sleep(period)
            log.append((either.elapsed, name))

    with quickly():
        joined(started(lambda: asyncio.run(tick("2", 2, 7)), lambda: asyncio.run(tick("3", 3, 5))))
    assert [when for when, _ in log] == [2, 3, 4, 6, 6, 8, 9, 10, 12, 12, 14, 15]
    assert [when for when, name in log if name == "3"] == [3, 6, 9, 12, 15]


@contextmanager
def loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    (thread,) = started(loop.run_forever)
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def slept(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def test_a_loop_that_the_main_thread_drives(either: FakeClock) -> None:
    with quickly(), loop_in_a_thread() as loop:
        for _ in range(3):
            future = asyncio.run_coroutine_threadsafe(slept(4.5), loop)
            assert future.result(timeout=5) == 4.5
        assert either.elapsed == 13.5


def test_the_main_thread_gives_up_first(clock: FakeClock) -> None:
    with quickly(), loop_in_a_thread() as loop:
        future = asyncio.run_coroutine_threadsafe(slept(6), loop)
        with pytest.raises(TimeoutError):
            future.result(timeout=5)
        assert clock.elapsed == 5
        assert future.result() == 6
        assert clock.elapsed == 6


def test_one_loop_works_for_another(either: FakeClock) -> None:
    log: Log = []

    async def main(other: asyncio.AbstractEventLoop) -> None:
        async def tick() -> None:
            for _ in range(4):
                await asyncio.sleep(2)
                log.append((either.elapsed, "tick"))

        task = asyncio.create_task(tick())
        async with asyncio.timeout(5.5):
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(slept(5), other))
        log.append((either.elapsed, "other"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(slept(5), other))
        log.append((either.elapsed, "late"))
        await task

    with quickly(), loop_in_a_thread() as loop:
        asyncio.run(main(loop))
    assert log == [(2, "tick"), (4, "tick"), (5, "other"), (6, "tick"), (7, "late"), (8, "tick")]


def test_portals(either: FakeClock) -> None:
    with quickly(), start_blocking_portal() as portal:
        assert portal.call(slept, 60) == 60
        few = [portal.start_task_soon(slept, seconds) for seconds in (1, 2, 3)]
        assert [future.result(timeout=100) for future in few] == [1, 2, 3]
        assert either.elapsed == 63


@pytest.mark.asyncio
async def test_a_loop_that_runs_already() -> None:
    async with FakeClock(threads=True) as clock:
        with quickly():
            async with asyncio.timeout(31):
                await asyncio.to_thread(time.sleep, 30)
        assert clock.elapsed == 30


def by_queue() -> tuple[Callable[[], object], Callable[[float], bool]]:
    items: queue.Queue[int] = queue.Queue()

    def get(timeout: float) -> bool:
        try:
            items.get(timeout=timeout)
        except queue.Empty:
            return False
        return True

    return lambda: items.put(1), get


def by_event() -> tuple[Callable[[], object], Callable[[float], bool]]:
    event = threading.Event()
    return event.set, event.wait


def by_semaphore() -> tuple[Callable[[], object], Callable[[float], bool]]:
    semaphore = threading.Semaphore(0)
    return semaphore.release, lambda timeout: semaphore.acquire(timeout=timeout)


def by_future() -> tuple[Callable[[], object], Callable[[float], bool]]:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    return lambda: future.set_result(1), lambda timeout: bool(concurrent.futures.wait([future], timeout).done)


def by_loop() -> tuple[Callable[[], object], Callable[[float], bool]]:
    """What one thread sends, a loop in another one waits for."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    event = asyncio.Event()

    async def wait(timeout: float) -> bool:
        ready.set()
        try:
            await asyncio.wait_for(event.wait(), timeout)
        except TimeoutError:
            return False
        return True

    def send() -> None:
        ready.wait()
        with suppress(RuntimeError):  # it has given up, and is closed
            loop.call_soon_threadsafe(event.set)

    def get(timeout: float) -> bool:
        try:
            return loop.run_until_complete(wait(timeout))
        finally:
            loop.close()

    return send, get


WAYS = (by_queue, by_event, by_semaphore, by_future, by_loop)


@pytest.mark.parametrize("seed", range(5))
def test_no_timeout_comes_early_or_late(clock: FakeClock, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- a schedule is no secret
    wrong: list[object] = []

    def pair(kind: Callable[[], Any], delay: float, margin: float) -> list[Callable[[], None]]:
        send, get = kind()

        def sends() -> None:
            time.sleep(delay)
            send()

        def gets() -> None:
            got = get(delay + margin)
            when = clock.elapsed
            if (got, when) != (margin > 0, round(delay + min(margin, 0), 9)):
                wrong.append((kind.__name__, delay, margin, got, when))

        return [sends, gets]

    both: list[Callable[[], None]] = []
    for _ in range(12):
        delay = chance.randint(1, 20) / 2
        both += pair(chance.choice(WAYS), delay, chance.choice((-0.001, 0.001, -0.25, 0.25)))
    chance.shuffle(both)
    with quickly():
        go = threading.Event()
        threads = started(*(lambda run=run: go.wait() and run() for run in both))
        go.set()
        joined(threads)
    assert wrong == []


# --- in and out -------------------------------------------------------------------------------------


def test_undone_exactly() -> None:
    before = [vars(place)[name] for place, name in PLACES]
    alive = threading.active_count()
    with FakeClock(threads=True):
        inside = [vars(place)[name] for place, name in PLACES]
        assert not any(now is then for now, then in zip(inside, before, strict=True))
        joined(started(lambda: time.sleep(5)))
    assert [vars(place)[name] for place, name in PLACES] == before
    assert threading.active_count() == alive


def test_what_somebody_else_has_replaced_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs(seconds: float) -> None:
        """Stand for what a user sets."""

    monkeypatch.setattr(time, "sleep", time.sleep)  # so that the real one comes back
    with FakeClock(threads=True):
        time.sleep = theirs  # type: ignore[assignment]
    assert time.sleep is theirs


def test_what_somebody_keeps_is_real_again() -> None:
    with FakeClock(threads=True) as clock:
        sleep = time.sleep
        wait = threading.Condition.wait
    before = clock.elapsed
    began = real_now()
    sleep(0.01)
    with (condition := threading.Condition()):
        assert not wait(condition, 0.01)
    assert real_now() - began >= 0.02
    assert clock.elapsed == before


def test_without_the_option_threads_wait_in_real_time() -> None:
    with FakeClock() as clock:
        began = real_now()
        joined(started(lambda: time.sleep(0.02)))
        assert real_now() - began >= 0.02
        assert clock.elapsed == 0


def test_who_sleeps_at_the_end_goes_on_in_real_time() -> None:
    woken: dict[str, float] = {}
    ready = threading.Barrier(5)
    condition = threading.Condition()

    def noted(name: str, function: Callable[[], Any]) -> Callable[[], None]:
        def wait() -> None:
            ready.wait()
            function()
            woken[name] = real_now()

        return wait

    def get() -> None:
        with pytest.raises(queue.Empty):
            queue.Queue[int]().get(timeout=3600.1)

    def predicate() -> None:
        with condition:
            condition.wait_for(lambda: False, timeout=3600.1)

    def join() -> None:
        threading.main_thread().join(3600.1)

    with FakeClock(threads=True) as clock:
        threads = started(
            noted("sleep", lambda: time.sleep(3600.1)),
            noted("get", get),
            noted("predicate", predicate),
            noted("join", join),
        )
        ready.wait()
        time.sleep(3600)
        assert clock.elapsed == 3600
        ended = real_now()
        assert woken == {}
    with quickly():
        joined(threads)
    assert len(woken) == 4
    assert all(0.09 < when - ended < 5 for when in woken.values()), woken


def test_older_threads_keep_real_time() -> None:
    go, told = threading.Event(), queue.SimpleQueue[float]()

    def old() -> None:
        while go.wait():
            go.clear()
            if stop:
                return
            began = real_now()
            time.sleep(0.02)
            told.put(real_now() - began)

    stop: list[bool] = []
    threads = started(old)
    with FakeClock(threads=True):
        go.set()
        assert told.get() >= 0.02
    stop.append(True)
    go.set()
    joined(threads)


def test_older_workers_of_a_pool_live_in_virtual_time() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with FakeClock(threads=True) as clock, quickly():
            pool.submit(time.sleep, 3600).result()
            assert clock.elapsed == 3600


def test_threads_that_watch_the_run_keep_real_time(clock: FakeClock) -> None:
    fired = threading.Event()
    timer = threading.Timer(3600, fired.set)
    timer.name = "pytest_timeout test_x"
    timer.daemon = True
    timer.start()
    pause(0.02)
    with quickly():
        time.sleep(36_000)
    assert not fired.is_set()
    timer.cancel()
    joined([timer])


def test_a_child_process_is_waited_for_in_real_time(clock: FakeClock) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.05)
        assert clock.elapsed == 0
    finally:
        child.communicate(b"\n")


def test_one_clock_after_another() -> None:
    for _ in range(3):
        with FakeClock(threads=True) as clock, quickly():
            log: Log = []
            joined(started(sleeper(clock, log, "a", 5, 5)))
            assert log == [(5, "a"), (10, "a")]


# --- by hand ----------------------------------------------------------------------------------------


def test_threads_follow_a_clock_that_is_moved_by_hand() -> None:
    log: Log = []
    with FakeClock(threads=True, auto=False) as clock, quickly():
        threads = started(sleeper(clock, log, "a", 3, 3, 3), sleeper(clock, log, "b", 5, 5))
        clock.settle()
        assert log == []
        clock.advance(4)
        assert (log, clock.elapsed) == ([(3, "a")], 4)
        clock.advance(6)
        assert log == [(3, "a"), (5, "b"), (6, "a"), (9, "a"), (10, "b")]
        joined(threads)


def test_time_that_follows_real_time(clock: FakeClock) -> None:
    with clock.real():
        began = real_now()
        time.sleep(0.05)
        assert 0.04 < real_now() - began < 5
    assert clock.elapsed >= 0.05
