"""A seed chooses among the orders that asyncio leaves open, and nothing else; the same seed, the same run."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak import FakeClock
from pytest_taskleak.loops.installing import World
from pytest_taskleak.loops.schedule import Schedule, mix
from pytest_taskleak.loops.settings import LEVELS, Settings
from pytest_taskleak.loops.stepping import StepDriver
from pytest_taskleak.loops.trace import BLOCK, KEPT, Trace, first_divergence

sys.path.insert(0, str(Path(__file__).parent))
import determinism  # a script beside this file

ANY = random.Random()  # noqa: S311
levels = pytest.mark.parametrize("level", LEVELS)
Story = Callable[[], Awaitable[Any]]


def told(story: Story, seed: int | None, level: str = "arrival", **options: Any) -> tuple[Any, Trace]:
    """Run a story, and return what it returned and what its loop ran."""
    world = World(Settings(**{"seed": seed, "level": level, "start": 0.0, "driver": "step", **options}))
    found: list[Any] = []

    async def main() -> None:
        driver = world.drivers[id(asyncio.get_running_loop())]
        assert isinstance(driver, StepDriver)
        found.append(driver.put_down())
        found.append(await story())

    world.install()
    try:
        asyncio.run(main())
    finally:
        world.uninstall()
    return found[1], found[0]


def outcomes(
    story: Story, seeds: Iterable[int | None], level: str = "arrival", **options: Any
) -> Counter[Any]:
    return Counter(told(story, seed, level, **options)[0] for seed in seeds)


# --- what is promised is kept ---------------------------------------------------------------------


async def called_soon() -> bool:
    """`call_soon` is first in, first out, whatever is woken or made ready in between."""
    loop, log = asyncio.get_running_loop(), list[int]()
    gate = loop.create_future()

    async def waiter() -> None:
        await gate

    async def starter(number: int) -> None:
        loop.call_soon(log.append, number)

    waiters = [asyncio.create_task(waiter()) for _ in range(3)]
    await asyncio.sleep(0)
    loop.call_soon(log.append, 0)
    gate.set_result(None)
    loop.call_soon(log.append, 1)
    starters = [asyncio.create_task(starter(2)), asyncio.create_task(starter(3))]
    loop.call_soon(log.append, -1)
    await asyncio.sleep(0)
    await asyncio.gather(*waiters, *starters)
    await asyncio.sleep(0)
    return log == [0, 1, -1, 2, 3]


async def slept_zero() -> bool:
    """`sleep(0)` lets what was made before run up to its own first wait."""
    ready = list[int]()

    async def child(number: int) -> None:
        ready.append(number)
        await asyncio.sleep(1)

    gates = [asyncio.Event() for _ in range(2)]
    others = [asyncio.create_task(gate.wait()) for gate in gates]
    await asyncio.sleep(0)
    for gate in gates:
        gate.set()
    children = [asyncio.create_task(child(number)) for number in range(3)]
    await asyncio.sleep(0)
    seen = ready[:]
    await asyncio.gather(*children, *others)
    return seen == [0, 1, 2]


async def locked() -> bool:
    """A lock goes to who asked first."""
    lock, log = asyncio.Lock(), list[int]()

    async def holder(number: int) -> None:
        async with lock:
            log.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(holder(number) for number in range(5)))
    return log == list(range(5))


@levels
@pytest.mark.parametrize("story", [called_soon, slept_zero, locked])
def test_documented_orders_hold_for_a_thousand_seeds(story: Story, level: str) -> None:
    assert outcomes(story, range(1000), level) == {True: 1000}


@levels
def test_durations_are_exact_where_no_other_timer_is_near(level: str) -> None:
    async def story() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def ticking(step: float) -> None:
            for _ in range(10):
                await asyncio.sleep(step)

        await asyncio.gather(ticking(0.1), ticking(0.3), asyncio.sleep(2.5))
        return loop.time() - began

    assert outcomes(story, range(50), level) == {3.0: 50}


def test_without_a_seed_nothing_is_reordered() -> None:
    assert outcomes(woken, [None], "wake") == {("a", "b", "c"): 1}
    assert outcomes(tied, [None], "wake") == {(0, 1, 2): 1}


# --- what is left open is explored ----------------------------------------------------------------


async def tied() -> tuple[int, ...]:
    loop, log = asyncio.get_running_loop(), list[int]()
    for number in range(3):
        loop.call_at(loop.time() + 5, log.append, number)
    await asyncio.sleep(6)
    return tuple(log)


async def woken() -> tuple[str, ...]:
    event, log = asyncio.Event(), list[str]()

    async def waiter(name: str) -> None:
        await event.wait()
        log.append(name)

    tasks = [asyncio.create_task(waiter(name)) for name in "abc"]
    await asyncio.sleep(1)
    event.set()
    await asyncio.gather(*tasks)
    return tuple(log)


async def received() -> tuple[int, ...]:
    loop, log = asyncio.get_running_loop(), list[int]()

    def note(number: int, ours: socket.socket) -> None:
        ours.recv(9)
        log.append(number)

    pairs = [socket.socketpair() for _ in range(3)]
    for number, (ours, _) in enumerate(pairs):
        ours.setblocking(False)
        loop.add_reader(ours, note, number, ours)
    for _, theirs in pairs:
        theirs.send(b"x")
    await asyncio.sleep(1)
    for ours, theirs in pairs:
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
    return tuple(log)


async def computed() -> tuple[int, ...]:
    log = list[int]()

    async def call(number: int) -> None:
        await asyncio.to_thread(time.sleep, 0.001)
        log.append(number)

    await asyncio.gather(*(call(number) for number in range(3)))
    return tuple(log)


async def initialised_twice() -> int:
    """Two requests 0.2 ms apart: between the look and the deed of the first one the second one looks."""
    done = list[str]()

    async def request(delay: float) -> None:
        await asyncio.sleep(delay)
        if not done:
            await asyncio.sleep(0)
            done.append("init")

    await asyncio.gather(request(1.0), request(1.0002))
    return len(done)


@levels
@pytest.mark.parametrize(("story", "orders"), [(tied, 6), (received, 6), (computed, 6)])
def test_every_order_of_what_arrives_is_tried(story: Story, orders: int, level: str) -> None:
    found = outcomes(story, range(80), level)
    assert len(found) == orders, found
    assert all(sorted(order) == [0, 1, 2] for order in found)


def test_tasks_that_are_woken_together_run_in_any_order_at_level_wake_only() -> None:
    assert outcomes(woken, range(60), "arrival") == {("a", "b", "c"): 60}
    assert len(outcomes(woken, range(60), "wake")) == 6


def test_timers_that_are_near_come_together_now_and_then() -> None:
    found = outcomes(initialised_twice, range(60))
    assert set(found) == {1, 2}
    assert found[1] > found[2]


def test_a_callback_between_two_tasks_keeps_them_apart() -> None:
    async def story() -> tuple[str, ...]:
        loop, log = asyncio.get_running_loop(), list[str]()
        gates = [loop.create_future() for _ in range(2)]

        async def waiter(number: int) -> None:
            await gates[number]
            log.append(f"task {number}")

        tasks = [asyncio.create_task(waiter(number)) for number in range(2)]
        await asyncio.sleep(1)
        gates[0].set_result(None)
        loop.call_soon(log.append, "callback")
        gates[1].set_result(None)
        await asyncio.gather(*tasks)
        return tuple(log)

    assert outcomes(story, range(40), "wake") == {("task 0", "callback", "task 1"): 40}


def test_tasks_written_in_python_are_recognised() -> None:
    async def story() -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        kind: Any = getattr(asyncio.tasks, "_PyTask")  # noqa: B009
        loop.set_task_factory(lambda loop, coro, **options: kind(coro, loop=loop, **options))
        return await woken()

    assert len(outcomes(story, range(60), "wake")) == 6


def test_a_task_more_elsewhere_does_not_reshuffle_the_rest() -> None:
    async def with_more() -> tuple[str, ...]:
        found, *_ = await asyncio.gather(woken(), more())
        return found

    async def without() -> tuple[str, ...]:
        found, *_ = await asyncio.gather(woken(), asyncio.sleep(0))
        return found

    async def more() -> None:
        await asyncio.sleep(0.5)
        for _ in range(3):
            await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(3)))

    for seed in range(30):
        assert told(with_more, seed, "wake")[0] == told(without, seed, "wake")[0]


# --- the choices themselves -----------------------------------------------------------------------


def test_choices_are_the_same_for_ever() -> None:
    """A seed in an old report must mean the same: who changes these numbers changes every schedule."""
    assert [mix(0), mix(0, 1), mix(1, 0)] == [
        16_294_208_416_658_607_535,
        627_405_149_472_732_430,
        6_791_897_765_849_424_158,
    ]
    plan = Schedule(42, "wake")
    assert plan.ties(5, list("abcd")) == ["d", "c", "a", "b"]
    assert [plan.back(number) for number in range(8)] == [2, None, None, 2, 1, None, None, 1]


@given(st.integers(0, 2**80), st.lists(st.integers(-(2**63), 2**63), max_size=4))
def test_a_mixture_has_64_bits(seed: int, parts: list[int]) -> None:
    assert 0 <= mix(seed, *parts) < 2**64


def test_a_choice_depends_on_every_part_and_every_bit_of_the_seed() -> None:
    drawn = {mix(seed, first, second) for seed in range(10) for first in range(10) for second in range(10)}
    assert len(drawn) == 1000
    bits = Counter(bit for value in drawn for bit in range(64) if value >> bit & 1)
    assert all(400 < bits[bit] < 600 for bit in range(64))
    assert len({Schedule(seed).back_order(0) for seed in (0, 1, 2**64, 2**65, 2**100)}) == 5


# --- the same seed, the same run ------------------------------------------------------------------


def test_digests_are_the_same_in_other_processes_with_other_hash_seeds() -> None:
    found = determinism.digests(first=0, seeds=20, replays=3, at_once=2)
    assert determinism.differing(found) == []
    assert len({line.split()[1] for line in found[0]}) == 20, "other seeds, other runs"


def test_one_seed_gives_one_trace_in_twenty_processes() -> None:
    found = determinism.digests(first=3, seeds=1, replays=20, at_once=4)
    assert len({tuple(lines) for lines in found}) == 1


async def aborted() -> None:
    """A group whose tasks were made of what lies anywhere in memory."""
    ballast = [object() for _ in range(ANY.randint(0, 2000))]

    async def worker(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1 * (number % 2))

    async def failing() -> None:
        await asyncio.sleep(1)
        raise ValueError

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(worker(number))
                ballast.append(bytearray(ANY.randint(1, 500)))
            group.create_task(failing())
    except* ValueError:
        pass


async def left_pending() -> None:
    """What the runner itself must cancel when it closes the loop."""
    ballast = [bytearray(ANY.randint(1, 500)) for _ in range(50)]
    tasks = [asyncio.create_task(asyncio.Event().wait()) for _ in range(10)]
    await asyncio.sleep(1)
    del ballast, tasks


async def eagerly() -> None:
    factory: Any = getattr(asyncio, "eager_task_factory")  # noqa: B009 -- from 3.12 on
    asyncio.get_running_loop().set_task_factory(factory)
    await aborted()


stories = [aborted]
if sys.version_info >= (3, 12):
    stories.append(eagerly)


@levels
@pytest.mark.parametrize("story", stories)
def test_addresses_do_not_matter(story: Story, level: str) -> None:
    assert len(digests_of(story, level)) == 1


@pytest.mark.taskleak(mode="off")
def test_addresses_do_not_matter_where_the_runner_cancels_what_is_left() -> None:
    assert len(digests_of(left_pending, "arrival")) == 1


def digests_of(story: Story, level: str) -> set[str]:
    """Return the digests of many runs, between which memory is used in another way."""
    keep: list[Any] = []
    digests = set()
    for _ in range(25):
        digests.add(told(story, 11, level)[1].digest())
        keep.append([bytearray(ANY.randint(1, 300)) for _ in range(100)])
    return digests


def test_the_speed_of_threads_does_not_matter() -> None:
    drawn = ANY

    async def story() -> list[int]:
        log = list[int]()
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def call(number: int) -> None:
            await asyncio.to_thread(time.sleep, drawn.choice([0, 0, 0.0001, 0.002, 0.005]))
            log.append(number)
            await asyncio.sleep(0.1)

        def raw() -> None:
            time.sleep(drawn.choice([0, 0.001]))
            loop.call_soon_threadsafe(gate.set)

        thread = threading.Thread(target=raw)
        thread.start()
        await asyncio.gather(*(call(number) for number in range(6)), gate.wait())
        thread.join()
        return log

    for seed in range(5):
        assert len({told(story, seed)[1].digest() for _ in range(8)}) == 1


def test_a_busy_loop_hears_of_its_thread() -> None:
    async def story() -> int:
        future, turns = asyncio.ensure_future(asyncio.to_thread(time.sleep, 0.002)), 0
        while not future.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    for seed in range(8):
        assert len({told(story, seed)[0] for _ in range(3)}) == 1


def test_a_thread_that_needs_the_loop_is_not_waited_for() -> None:
    async def story() -> str:
        loop = asyncio.get_running_loop()

        async def answer() -> str:
            await asyncio.sleep(30)
            return "answer"

        def ask() -> str:
            return asyncio.run_coroutine_threadsafe(answer(), loop).result()

        return await asyncio.to_thread(ask)

    began = time.monotonic()
    assert outcomes(story, range(6)) == {"answer": 6}
    assert time.monotonic() - began < 20


def test_what_a_thread_gives_at_the_very_end_is_not_lost() -> None:
    with FakeClock(seed=1):
        loop = asyncio.new_event_loop()
        log: list[int] = []
        handed = threading.Event()

        def work() -> None:
            loop.call_soon_threadsafe(log.append, 1)
            handed.set()

        async def main() -> None:
            threading.Thread(target=work).start()
            handed.wait()

        loop.run_until_complete(main())
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    assert log == [1]


# --- traces ---------------------------------------------------------------------------------------


def test_a_trace_can_be_had_without_a_seed_in_the_midst_of_a_run() -> None:
    async def main() -> list[str]:
        world = World(Settings(driver="step"))
        world.install()
        try:
            loop = asyncio.get_running_loop()
            world.attach_running(loop)
            await asyncio.sleep(1)
            driver: Any = world.drivers[id(loop)]
            trace = driver.put_down()
            await asyncio.sleep(1.5)
            return [str(record) for record in trace.records()]
        finally:
            world.uninstall()

    timer, wake = asyncio.run(main())
    assert timer == "turn 1, +1.5 s: timer _set_result_unless_cancelled"
    assert "wake" in wake
    assert wake.endswith("main (task 0)")


def test_somebody_may_look_before_each_callback() -> None:
    world = World(Settings(seed=1))
    seen: list[int] = []

    async def main() -> Trace:
        driver: Any = world.drivers[id(asyncio.get_running_loop())]
        driver.before = seen.append
        await asyncio.gather(asyncio.sleep(1), asyncio.sleep(2))
        driver.before = None
        return driver.trace  # type: ignore[no-any-return]

    world.install()
    try:
        asyncio.run(main())
    finally:
        world.uninstall()
    assert seen == list(range(1, len(seen) + 1))


def test_the_place_where_two_runs_part_is_told() -> None:
    async def story(delay: float) -> None:
        await asyncio.gather(asyncio.sleep(1), asyncio.sleep(delay))

    one = told(lambda: story(2), 1)[1]
    other = told(lambda: story(3), 1)[1]
    again = told(lambda: story(2), 1)[1]
    assert one.digest() == again.digest() != other.digest()
    assert first_divergence(one, again) is None
    found = first_divergence(one, other)
    assert found is not None
    assert found.one is not None
    assert found.other is not None
    assert (found.one.nanoseconds, found.other.nanoseconds) == (2_000_000_000, 3_000_000_000)
    assert str(found).startswith(f"the runs part at record {found.number}:\n  both  turn")


def filled(count: int, odd: int | None = None) -> Trace:
    trace = Trace()
    for number in range(count):
        trace.add(number, number, -1, trace.label("odd" if number == odd else f"callback {number % 7}"))
    return trace


@pytest.mark.parametrize("odd", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK - 1])
def test_any_record_may_be_the_first_that_differs(odd: int) -> None:
    found = first_divergence(filled(5 * BLOCK), filled(5 * BLOCK, odd))
    assert found is not None
    assert found.number == odd
    assert found.other is not None
    assert found.other.label == "odd"
    assert len(found.before) == min(odd, 3)


@pytest.mark.parametrize("shorter", [0, 1, BLOCK, 2 * BLOCK + 5])
def test_a_run_that_ends_early_differs_at_its_end(shorter: int) -> None:
    found = first_divergence(filled(shorter), filled(3 * BLOCK))
    assert found is not None
    assert (found.number, found.one) == (shorter, None)
    assert "has ended" in str(found)


def test_of_a_long_run_the_last_records_are_kept() -> None:
    count = 2 * KEPT
    one, other = filled(count), filled(count, 5)
    assert len(one) == count
    assert one.records()[0].number == one.first_kept() >= count - KEPT
    assert "not kept" in str(first_divergence(one, other))
    late = first_divergence(one, filled(count, count - 2))
    assert late is not None
    assert late.number == count - 2
