"""A turn of our own does what the stock loop's turn does, and misses nothing real."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_taskleak import FakeClock
from pytest_taskleak.loops.errors import DeadlockError, FakeClockError, UnsupportedLoop
from pytest_taskleak.loops.installing import World
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.stepping import StepDriver

DRIVERS = ("hooks", "step")
Entry = tuple[Any, ...]
Main = Callable[[], Awaitable[Any]]


@contextmanager
def world(**options: Any) -> Iterator[World]:
    found = World(Settings(**{"driver": "step", "start": 0.0, **options}))
    found.install()
    try:
        yield found
    finally:
        found.uninstall()


def run(main: Main, **options: Any) -> Any:
    async def body() -> Any:
        return await main()

    with world(**options):
        return asyncio.run(body())


def driver_of(here: World) -> Any:
    return here.drivers[id(asyncio.get_running_loop())]


# --- the same order as the stock loop's own turn --------------------------------------------------

DELAYS = st.sampled_from([0.0, 0.001, 0.0015, 0.1, 0.1, 0.25, 3600.0])
OPERATIONS = st.one_of(
    st.tuples(st.just("sleep"), DELAYS),
    st.tuples(st.just("later"), DELAYS),
    st.tuples(st.just("at"), DELAYS),
    st.tuples(st.just("soon"), st.just(0.0)),
    st.tuples(st.just("timeout"), DELAYS, DELAYS),
    st.tuples(st.just("cancel"), DELAYS, DELAYS),
    st.tuples(st.just("disarm"), DELAYS),
    st.tuples(st.just("wait_for"), DELAYS, DELAYS),
    st.tuples(st.just("group"), DELAYS, DELAYS),
)
PROGRAMS = st.lists(st.lists(OPERATIONS, max_size=5), min_size=1, max_size=5)


class Story:
    """Runs a random program and notes what happened, in which order and when."""

    def __init__(self, program: list[list[Any]]) -> None:
        self.program = program
        self.log: list[Entry] = []

    def note(self, *what: Any) -> None:
        self.log.append((*what, asyncio.get_running_loop().time()))

    async def sleeper(self, delay: float, *name: Any) -> None:
        try:
            await asyncio.sleep(delay)
            self.note(*name, "slept")
        except asyncio.CancelledError:
            self.note(*name, "cancelled")
            raise

    async def one(self, kind: str, name: Entry, first: float, second: float = 0.0) -> None:
        loop: Any = asyncio.get_running_loop()
        if kind == "sleep":
            await self.sleeper(first, *name)
        elif kind == "later":
            loop.call_later(first, self.note, *name, "called")
        elif kind == "at":
            loop.call_at(loop.time() + first, self.note, *name, "called")
        elif kind == "soon":
            loop.call_soon(self.note, *name, "called")
        elif kind == "disarm":
            loop.call_later(first, self.note, *name, "called").cancel()
        elif kind == "timeout":
            try:
                async with asyncio.timeout(first):
                    await self.sleeper(second, *name)
            except TimeoutError:
                self.note(*name, "timed out")
        elif kind == "wait_for":
            try:
                await asyncio.wait_for(self.sleeper(second, *name), first)
            except TimeoutError:
                self.note(*name, "timed out")
        elif kind == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(self.sleeper(first, *name, 1))
                group.create_task(self.sleeper(second, *name, 2))
        else:
            task = asyncio.create_task(self.sleeper(first, *name))
            await asyncio.sleep(second)
            task.cancel()
            await asyncio.wait([task])

    async def worker(self, number: int) -> None:
        for place, (kind, *delays) in enumerate(self.program[number]):
            await self.one(kind, (number, place), *delays)
            self.note(number, place, "done")

    async def main(self) -> list[Entry]:
        await asyncio.gather(*(self.worker(number) for number in range(len(self.program))))
        await asyncio.sleep(7200)
        return self.log


@settings(max_examples=60, deadline=None)
@given(PROGRAMS)
def test_any_program_runs_in_the_order_of_the_stock_turn(program: list[list[Any]]) -> None:
    stock, own = (run(Story(program).main, driver=driver) for driver in DRIVERS)
    assert own == stock


def test_equal_timers_fire_in_the_order_in_which_they_were_made() -> None:
    async def main() -> list[int]:
        loop, log = asyncio.get_running_loop(), list[Any]()
        for number in range(50):
            loop.call_at(loop.time() + 5.0, log.append, number)
        await asyncio.sleep(6)
        return log

    assert run(main) == list(range(50))


def test_timers_that_are_older_than_the_clock_keep_their_remaining_delays() -> None:
    async def main() -> list[str]:
        loop, log = asyncio.get_running_loop(), list[Any]()
        began = loop.time()
        for name, delay in (("b", 20.0), ("a", 10.0)):
            loop.call_later(delay, lambda name=name: log.append(name))  # type: ignore[misc]
        async with FakeClock(driver="step") as clock:
            loop.call_later(15, log.append, "new")
            await asyncio.sleep(30)
            assert clock.elapsed == 30
        assert loop.time() >= began + 30
        return log

    assert asyncio.run(main()) == ["a", "new", "b"]


# --- what the stock turn does besides -------------------------------------------------------------


def test_many_cancelled_timers_are_dropped_long_before_they_are_due() -> None:
    async def main() -> int:
        loop: Any = asyncio.get_running_loop()
        for _ in range(500):
            loop.call_later(3600, print).cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return int(len(loop._scheduled) + loop._timer_cancelled_count)

    assert run(main) == 0


def test_a_cancelled_callback_does_not_run_though_it_is_ready() -> None:
    async def main() -> list[str]:
        loop, log = asyncio.get_running_loop(), list[str]()
        later: list[asyncio.Handle] = []

        def cancel() -> None:
            later[0].cancel()

        loop.call_soon(cancel)
        later.append(loop.call_soon(log.append, "second"))
        loop.call_soon(log.append, "third")
        await asyncio.sleep(1)
        return log

    assert run(main) == ["third"]


def test_debug_mode_tells_of_slow_callbacks(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = 0.01
        loop.call_later(1, time.sleep, 0.02)
        await asyncio.sleep(2)

    caplog.set_level(logging.WARNING, "asyncio")
    run(main)
    assert any("Executing" in record.message and "sleep" in record.message for record in caplog.records)


DEBUGGED = """
import asyncio
from pytest_taskleak import FakeClock

async def main():
    async with FakeClock(driver="DRIVER"):
        loop = asyncio.get_running_loop()
        print(loop.call_later(1, print), loop.call_at(loop.time() + 1, print), sep="\\n")

asyncio.run(main(), debug=True)
"""


@pytest.mark.parametrize("driver", DRIVERS)
def test_debug_mode_tells_where_a_timer_was_made(driver: str) -> None:
    code = DEBUGGED.replace("DRIVER", driver)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.partition("created at ")[2] for line in result.stdout.splitlines()] == ["<string>:8>"] * 2


def test_an_error_in_a_callback_goes_to_the_exception_handler() -> None:
    async def main() -> list[Any]:
        loop, told = asyncio.get_running_loop(), list[Any]()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        loop.call_later(1, int, "x")
        await asyncio.sleep(2)
        return told

    (error,) = run(main)
    assert isinstance(error, ValueError)


def test_an_interrupt_comes_out_of_the_loop_and_the_rest_runs_later() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with world():
        loop, log = asyncio.new_event_loop(), list[str]()
        loop.call_soon(interrupt)
        loop.call_soon(log.append, "rest")
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
        assert log == []
        loop.run_until_complete(asyncio.sleep(1))
        assert log == ["rest"]
        loop.close()


def test_stop_lets_what_is_ready_run_and_nothing_else() -> None:
    with world():
        loop, log = asyncio.new_event_loop(), list[str]()

        def first() -> None:
            loop.stop()
            loop.call_soon(log.append, "next turn")

        loop.call_soon(first)
        loop.call_soon(log.append, "same turn")
        loop.run_forever()
        assert log == ["same turn"]
        loop.call_later(5, log.append, "timer")
        loop.call_later(6, loop.stop)
        loop.run_forever()
        assert log == ["same turn", "next turn", "timer"]
        loop.close()


def test_a_loop_that_never_rests_sees_its_timers_come() -> None:
    async def main() -> int:
        loop, turns, done = asyncio.get_running_loop(), 0, list[int]()
        loop.call_later(0.05, done.append, 1)
        while not done:
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert 1000 < run(main) < 100_000


# --- nothing real is missed -----------------------------------------------------------------------


def test_a_reader_is_called_before_time_goes_on() -> None:
    async def main() -> tuple[float, list[bytes]]:
        loop, found = asyncio.get_running_loop(), list[bytes]()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            loop.add_reader(ours, lambda: found.append(ours.recv(9)))
            for number in range(5):
                theirs.send(b"%d" % number)
                await asyncio.sleep(1)
                assert len(found) == number + 1
            loop.remove_reader(ours)
        return loop.time(), found

    assert run(main) == (5.0, [b"0", b"1", b"2", b"3", b"4"])


def test_what_comes_in_counts_before_a_timer_of_the_same_turn() -> None:
    async def main() -> list[str]:
        loop, log = asyncio.get_running_loop(), list[str]()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            loop.add_reader(ours, lambda: log.append("event " + ours.recv(9).decode()))
            for number in range(200):
                loop.call_later(number + 1, theirs.send, b"x")
                loop.call_later(number + 1.5, log.append, "timer")
            await asyncio.sleep(300)
            loop.remove_reader(ours)
        return log

    assert run(main) == ["event x", "timer"] * 200


def test_calls_of_another_thread_are_heard_of() -> None:
    async def main() -> float:
        loop, gate = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            time.sleep(0.02)
            loop.call_soon_threadsafe(gate.set)

        thread = threading.Thread(target=work)
        thread.start()
        async with asyncio.timeout(1):
            await gate.wait()
        thread.join()
        return loop.time()

    assert run(main) == 0.0


def test_a_call_in_a_pool_holds_time() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times = []
        for _ in range(3):
            async with asyncio.timeout(1):
                await asyncio.to_thread(time.sleep, 0.01)
            times.append(loop.time())
            await asyncio.sleep(1)
        return times

    assert run(main) == [0.0, 1.0, 2.0]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_to_oneself_comes_at_once() -> None:
    async def main() -> list[float]:
        loop, log = asyncio.get_running_loop(), list[float]()
        loop.add_signal_handler(signal.SIGUSR1, lambda: log.append(loop.time()))
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(10)
        loop.remove_signal_handler(signal.SIGUSR1)
        return log

    assert run(main) == [0.0, 10.0, 20.0]


def test_streams_and_timers_together() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            await asyncio.sleep(60)
            writer.write(line)
        writer.close()

    async def main() -> float:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(5):
                writer.write(b"hello\n")
                async with asyncio.timeout(61):
                    assert await reader.readline() == b"hello\n"
            writer.close()
            await writer.wait_closed()
        return asyncio.get_running_loop().time()

    assert run(main) == 300.0


# --- in and out -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"driver": "step"}, {"seed": 3}, {"driver": "hooks"}])
def test_the_loop_is_left_as_it_was(options: dict[str, Any]) -> None:
    async def main() -> tuple[set[str], set[str]]:
        loop = asyncio.get_running_loop()
        names = set(vars(loop))
        kinds = (asyncio.tasks.Task, asyncio.events.TimerHandle, vars(asyncio.tasks).get("set"))
        async with FakeClock(**options):
            await asyncio.create_task(asyncio.sleep(10))
        assert kinds == (asyncio.tasks.Task, asyncio.events.TimerHandle, vars(asyncio.tasks).get("set"))
        assert asyncio.tasks.Task is asyncio.Task
        return names, set(vars(loop))

    before, after = asyncio.run(main())
    assert after - before == {"time"}, "time goes on from where it is"


def test_it_takes_over_in_the_midst_of_a_turn() -> None:
    async def main() -> list[str]:
        loop, log = asyncio.get_running_loop(), list[str]()
        loop.call_soon(log.append, "same turn")
        loop.call_later(1, log.append, "timer")
        async with FakeClock(driver="step"):
            await asyncio.sleep(0)
            log.append("next turn")
            await asyncio.sleep(2)
        return log

    assert asyncio.run(main()) == ["same turn", "next turn", "timer"]


class OwnTurn(asyncio.SelectorEventLoop):
    def _run_once(self) -> None:
        self._selector: Any
        assert self._selector.select is not None
        super()._run_once()  # type: ignore[misc]


def test_a_loop_that_turns_in_a_way_of_its_own_is_refused_by_name() -> None:
    for options in ({"driver": "step"}, {"driver": "auto", "seed": 1}):
        with world(**options):
            loop = OwnTurn()
            with pytest.raises(UnsupportedLoop, match=r"OwnTurn.*_run_once.*driver='hooks'"):
                loop.run_forever()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def test_hooks_drive_it_where_no_seed_is_wanted() -> None:
    with world(driver="auto"):
        loop = OwnTurn()
        loop.run_until_complete(asyncio.sleep(3600))
        assert loop.time() == 3600.0
        loop.close()


@pytest.mark.parametrize(
    ("options", "steps"),
    [({"driver": "auto"}, False), ({"driver": "auto", "seed": 1}, True), ({"driver": "step"}, True)],
)
def test_which_driver_is_chosen(options: dict[str, Any], steps: bool) -> None:
    with world(**options) as here:

        async def main() -> Any:
            return driver_of(here)

        assert isinstance(asyncio.run(main()), StepDriver) is steps


# --- the clock's own errors -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"driver": "hooks"}, {"driver": "step"}, {"seed": 5}])
def test_a_deadlock_is_an_error(options: dict[str, Any]) -> None:
    cleaned = []

    async def main() -> None:
        async with FakeClock(**options):
            try:
                await asyncio.Event().wait()
            finally:
                cleaned.append(1)

    with pytest.raises(DeadlockError):
        asyncio.run(main())
    assert cleaned


@pytest.mark.parametrize("options", [{"driver": "hooks"}, {"driver": "step"}, {"seed": 5}])
def test_a_deadlock_comes_out_of_a_loop_that_the_test_itself_runs(options: dict[str, Any]) -> None:
    cleaned = list[int]()

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(1)

    with FakeClock(**options):
        with pytest.raises(DeadlockError):
            asyncio.run(main())
        asyncio.run(asyncio.sleep(3600))
    assert cleaned


def test_an_error_of_the_verdict_comes_out_of_the_loop() -> None:
    def verdict(*_: Any) -> None:
        raise FakeClockError("over")

    with world() as here:
        here.time.verdict = verdict
        loop = asyncio.new_event_loop()
        with pytest.raises(FakeClockError, match="over"):
            loop.run_forever()
        loop.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_time_moved_by_hand_stops_at_each_timer(driver: str) -> None:
    async def main() -> list[float]:
        loop, log = asyncio.get_running_loop(), list[float]()

        async def ticking() -> None:
            while True:
                await asyncio.sleep(3)
                log.append(clock.elapsed)

        async with FakeClock(driver=driver, auto=False) as clock:
            task = asyncio.create_task(ticking())
            await clock.advance(10)
            assert clock.elapsed == 10
            assert await clock.next() == loop.time()
            task.cancel()
        return log

    assert asyncio.run(main()) == [3.0, 6.0, 9.0, 12.0]


# --- far times ------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("start", [0.0, 2.0**23, 1e9, 3e10])
def test_timers_cost_as_many_turns_in_a_thousand_years_as_now(driver: str, start: float) -> None:
    async def main() -> None:
        async def one(number: int) -> None:
            for step in range(20):
                await asyncio.sleep(0.37 * (1 + (number * 7 + step) % 11))

        await asyncio.gather(*(one(number) for number in range(30)))

    with world(driver=driver, start=start) as here:
        asyncio.run(main())
        assert here.time.stats.busy_turns == 0
        assert here.time.stats.jumps <= 600


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("delay", [86400.0, 1e8, 1e9, 3e10])
def test_very_long_sleeps(driver: str, delay: float) -> None:
    async def main() -> float:
        await asyncio.sleep(delay)
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    assert run(main, driver=driver) == delay + 1


# --- timers made fast are timers all the same -----------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS)
def test_call_later_goes_through_a_call_at_that_somebody_has_replaced(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> list[float]:
        loop, seen = asyncio.get_running_loop(), list[float]()
        original = loop.call_at

        def call_at(when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
            seen.append(when)
            return original(when, *args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "call_at", call_at)
            await asyncio.sleep(5)
        await asyncio.sleep(5)
        return seen

    assert run(main, driver=driver) == [5.0]


@pytest.mark.parametrize("driver", DRIVERS)
def test_misuse_of_call_later_is_told_as_the_stock_loop_tells_it(driver: str) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        with pytest.raises(TypeError):
            loop.call_later(None, print)
        with pytest.raises(TypeError):
            loop.call_later("1", print)
        handle = loop.call_later(-1, print)
        assert handle.when() == loop.time() - 1
        handle.cancel()
        assert handle.cancelled()

    with world(driver=driver):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        with pytest.raises(RuntimeError, match="closed"):
            loop.call_later(1, print)
