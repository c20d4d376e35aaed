"""Does uvloop live in virtual time as the stock loop does, and is it left as it was?"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from pytest_taskleak import DeadlockError, ExternalWorkTimeout, FakeClock, LivelockError, no_leaks
from pytest_taskleak.diagnostics import LeakGroup

uvloop = pytest.importorskip("uvloop")
Story = Callable[[FakeClock], Awaitable[Any]]


def run(story: Story, **options: Any) -> Any:
    """Run a story on a new loop under a clock, and return what it returns."""

    async def main() -> Any:
        return await story(clock)

    with FakeClock(**options) as clock:
        return uvloop.run(main())


@pytest.fixture
def loop() -> Iterator[Any]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.1, 1 / 3, 1, 3600, 97 * 86400, 1e9])
def test_a_sleep_takes_exactly_its_time(delay: float) -> None:
    async def story(clock: FakeClock) -> None:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(delay)
        assert asyncio.get_running_loop().time() - before == round(delay, 9)
        assert clock.elapsed == round(delay, 9)

    run(story)


def test_hours_take_milliseconds() -> None:
    async def story(clock: FakeClock) -> None:
        for _ in range(3600):
            await asyncio.sleep(1)
        assert clock.elapsed == 3600
        assert clock.stats.jumps == 3600

    began = time.perf_counter()
    run(story)
    assert time.perf_counter() - began < 3.6


def test_equal_timers_fire_in_the_order_of_their_birth() -> None:
    async def story(clock: FakeClock) -> list[int]:
        loop, fired = asyncio.get_running_loop(), list[int]()
        when = loop.time() + 5
        for number in range(10):
            loop.call_at(when, fired.append, number)
        await asyncio.sleep(6)
        return fired

    assert run(story) == list(range(10))


def test_a_timeout_fires_at_its_time() -> None:
    async def story(clock: FakeClock) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(3600)
        return clock.elapsed

    assert run(story) == 5


def test_a_timer_that_is_cancelled_never_fires() -> None:
    async def story(clock: FakeClock) -> list[int]:
        loop, fired = asyncio.get_running_loop(), list[int]()
        handles = [loop.call_later(number, fired.append, number) for number in range(1, 300)]
        for handle in handles[1:]:
            handle.cancel()
            assert handle.cancelled()
        await asyncio.sleep(400)
        return fired

    assert run(story) == [1]


def test_a_timer_that_is_due_together_with_its_canceller_does_not_fire() -> None:
    async def story(clock: FakeClock) -> list[str]:
        loop, fired = asyncio.get_running_loop(), list[str]()
        when = loop.time() + 1
        victims: list[asyncio.TimerHandle] = []

        def cancel() -> None:
            victims[0].cancel()

        loop.call_at(when, cancel)
        victims.append(loop.call_at(when, fired.append, "second"))
        loop.call_at(when, fired.append, "third")
        await asyncio.sleep(2)
        return fired

    assert run(story) == ["third"]


def test_no_delay_means_soon_and_no_wait() -> None:
    async def story(clock: FakeClock) -> float:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        loop.call_later(0, done.set)
        loop.call_later(-1, done.set)
        await done.wait()
        return clock.elapsed

    assert run(story) == 0


def test_an_endless_delay_never_ends() -> None:
    async def story(clock: FakeClock) -> float:
        endless = asyncio.get_running_loop().call_later(math.inf, pytest.fail, "it fired")
        await asyncio.sleep(1e9)
        endless.cancel()
        return clock.elapsed

    assert run(story) == 1e9


def test_what_is_no_time_is_refused_as_ever() -> None:
    async def story(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(ValueError):
            loop.call_later(math.nan, print)
        with pytest.raises(ValueError):
            loop.call_at(math.nan, print)

    run(story)


def test_a_timer_that_raises_does_not_stop_the_others() -> None:
    async def story(clock: FakeClock) -> None:
        loop, told, fired = asyncio.get_running_loop(), list[Any](), list[int]()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        when = loop.time() + 1
        error = ValueError("odd")

        def fail() -> None:
            raise error

        loop.call_at(when, fail)
        loop.call_at(when, fired.append, 2)
        await asyncio.sleep(2)
        assert told == [error]
        assert fired == [2]

    run(story)


def test_a_timer_may_end_the_loop(loop: Any) -> None:
    fired: list[int] = []

    def leave() -> None:
        raise SystemExit(7)

    async def arm() -> None:
        when = loop.time() + 5
        loop.call_at(when, leave)
        loop.call_at(when, fired.append, 2)

    with FakeClock():
        loop.run_until_complete(arm())
        with pytest.raises(SystemExit, match="7"):
            loop.run_forever()
        assert fired == []
        loop.run_until_complete(asyncio.sleep(1))
    assert fired == [2]


def test_a_busy_loop_reaches_its_timer() -> None:
    async def story(clock: FakeClock) -> None:
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(0.002, done.set)
        while not done.is_set():
            await asyncio.sleep(0)

    run(story)


def test_a_loop_that_never_rests_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(clock: FakeClock) -> None:
        while True:
            await asyncio.sleep(0)

    monkeypatch.setattr("pytest_taskleak.loops.uv.MOST_BUSY", 20_000)
    with pytest.raises(LivelockError, match="never comes to rest"):
        run(story)


def test_debug_mode_is_no_hindrance(loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    loop.set_debug(True)
    with FakeClock() as clock:
        loop.run_until_complete(asyncio.sleep(3600))
        assert clock.elapsed == 3600

        async def misuse() -> None:
            await asyncio.to_thread(loop.call_later, 1, print)

        with pytest.raises(RuntimeError, match="-thread-safe"):
            loop.run_until_complete(misuse())
    assert not caplog.records


# --- by hand ------------------------------------------------------------------------------------


def test_time_is_moved_by_hand() -> None:
    async def story(clock: FakeClock) -> None:
        fired: list[float] = []

        async def tick() -> None:
            while True:
                await asyncio.sleep(10)
                fired.append(clock.elapsed)

        ticking = asyncio.create_task(tick())
        await clock.settle()
        assert fired == []
        await clock.advance(25)
        assert fired == [10, 20]
        assert clock.elapsed == 25
        assert await clock.next() == clock.now
        assert fired == [10, 20, 30]
        ticking.cancel()
        await clock.run_until_idle()

    run(story, auto=False)


def test_virtual_time_may_follow_real_time() -> None:
    async def story(clock: FakeClock) -> None:
        before = time.perf_counter()
        with clock.real():
            await asyncio.sleep(0.02)
        assert time.perf_counter() - before >= 0.018
        await asyncio.sleep(3600)
        assert 3600 < clock.elapsed < 3700

    run(story)


def test_a_hold_lets_time_stand() -> None:
    async def story(clock: FakeClock) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        with clock.hold("the broker"):
            threading.Timer(0.02, lambda: loop.call_soon_threadsafe(done.set)).start()
            async with asyncio.timeout(1):
                await done.wait()
        assert clock.stats.real_wait["hold"] > 0.01

    run(story)


# --- the real world -----------------------------------------------------------------------------


def test_a_thread_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        for _ in range(5):
            async with asyncio.timeout(1):
                await asyncio.to_thread(time.sleep, 0.02)

    run(story)


def test_a_raw_thread_is_waited_for() -> None:
    async def story(clock: FakeClock) -> str:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[str] = loop.create_future()

        def work() -> None:
            time.sleep(0.02)
            loop.call_soon_threadsafe(result.set_result, "done")

        threading.Thread(target=work).start()
        async with asyncio.timeout(1):
            return await result

    assert run(story) == "done"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize(("host", "times"), [("127.0.0.1", 200), ("localhost", 30)])
def test_connections_within_the_process_are_never_too_late(host: str, times: int) -> None:
    async def story(clock: FakeClock) -> None:
        server = await asyncio.start_server(echo, host, 0)
        port = server.sockets[0].getsockname()[1]
        for _ in range(times):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
            writer.close()
        server.close()
        assert clock.elapsed == 0

    run(story)


def test_much_data_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            size = 0
            while data := await reader.read(65536):
                size += len(data)
            writer.write(str(size).encode())
            writer.close()

        server = await asyncio.start_server(count, "127.0.0.1", 0)
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(bytes(20_000_000))
            writer.write_eof()
            assert await reader.read() == b"20000000"
        writer.close()
        server.close()

    run(story)


SLOW_SERVER = """
import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
connection, _ = server.accept()
while data := connection.recv(100):
    time.sleep(0.02)
    connection.sendall(data)
"""


def test_an_answer_from_outside_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", SLOW_SERVER], stdout=PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())

        async def story(clock: FakeClock) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(3):
                await asyncio.sleep(60)
                async with asyncio.timeout(1):
                    writer.write(b"hello")
                    assert await reader.readexactly(5) == b"hello"
            writer.close()

        run(story)
        server.kill()


def test_a_silent_peer_does_not_hold_time_again_and_again() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", SLOW_SERVER], stdout=PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())

        async def story(clock: FakeClock) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(1000):
                await asyncio.sleep(1)
            writer.close()
            assert clock.stats.real_wait["peer"] < 5

        run(story)
        server.kill()


@pytest.mark.parametrize("stdout", [PIPE, subprocess.DEVNULL])
def test_a_child_process_is_waited_for(stdout: int) -> None:
    async def story(clock: FakeClock) -> None:
        code = "import time; time.sleep(0.15); print('hello')"
        async with asyncio.timeout(1):
            child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code, stdout=stdout)
            out, _ = await child.communicate()
        assert child.returncode == 0
        assert out == (b"hello\n" if stdout == PIPE else None)
        assert clock.stats.real_wait["child"] > 0.05

    run(story)


def test_a_child_in_the_background_does_not_hold_time() -> None:
    async def story(clock: FakeClock) -> None:
        code = "import time; time.sleep(600)"
        child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code)
        await asyncio.sleep(3600)
        child.kill()
        await child.wait()

    run(story)


def test_a_signal_is_seen_before_time_moves() -> None:
    async def story(clock: FakeClock) -> float:
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(1):
            await came.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
        return clock.elapsed

    assert run(story) == 0


def test_two_loops_in_two_threads_share_the_time() -> None:
    seen: list[tuple[str, float]] = []

    async def tick(name: str, period: float, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(period)
            seen.append((name, clock.elapsed))

    with FakeClock() as clock:

        async def both() -> None:
            other = asyncio.to_thread(uvloop.run, tick("two", 2, 6))
            await asyncio.gather(tick("three", 3, 4), other)

        uvloop.run(both())
    assert [when for name, when in seen if name == "three"] == [3, 6, 9, 12]
    assert clock.elapsed >= 12
    assert seen == sorted(seen, key=lambda each: each[1])


# --- the end ------------------------------------------------------------------------------------


def test_a_deadlock_is_an_error_and_cleanup_runs() -> None:
    cleaned: list[str] = []

    async def story(clock: FakeClock) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("yes")

    with pytest.raises(DeadlockError, match="Event"):
        run(story)
    assert cleaned == ["yes"]


def test_a_deadlock_within_the_loop_is_an_error() -> None:
    async def main() -> None:
        async with FakeClock():
            await asyncio.Event().wait()

    with pytest.raises(DeadlockError):
        uvloop.run(main())


def test_a_deadlock_without_a_task_comes_up(loop: Any) -> None:
    with FakeClock(), pytest.raises(DeadlockError):
        loop.run_forever()
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_thread_that_never_ends_is_told() -> None:
    gate = threading.Event()

    def busy() -> None:
        while not gate.is_set():
            time.sleep(0.001)

    async def story(clock: FakeClock) -> None:
        try:
            async with asyncio.timeout(1):
                await asyncio.to_thread(busy)
        finally:
            gate.set()

    with pytest.raises(ExternalWorkTimeout, match="busy"):
        run(story, hang_after=0.1)


# --- the clock ends before the loop -------------------------------------------------------------


def test_nothing_is_left_on_the_loop_but_its_time(loop: Any) -> None:
    before = dict(vars(loop))
    with FakeClock():
        loop.run_until_complete(asyncio.sleep(60))
    assert vars(loop).keys() - before.keys() == {"time"}
    loop.run_until_complete(asyncio.sleep(0))


def test_what_somebody_else_had_put_on_the_loop_is_put_back(loop: Any) -> None:
    calls: list[float] = []
    original = loop.call_later

    def call_later(delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        calls.append(delay)
        return original(delay, callback, *args, context=context)

    loop.call_later = call_later
    with FakeClock():
        loop.run_until_complete(asyncio.sleep(60))
    assert loop.call_later is call_later
    loop.run_until_complete(asyncio.sleep(0.001))
    assert calls == [0.001]


def test_time_never_goes_back_on_a_shared_loop(loop: Any) -> None:
    async def look() -> list[float]:
        seen = [loop.time()]
        await asyncio.sleep(0.005)
        return [*seen, loop.time()]

    seen = loop.run_until_complete(look())
    for delay in (60, 3600):
        with FakeClock() as clock:
            seen += loop.run_until_complete(look())
            loop.run_until_complete(asyncio.sleep(delay))
            assert clock.elapsed == delay + 0.005
        began = time.perf_counter()
        seen += loop.run_until_complete(look())
        assert time.perf_counter() - began >= 0.004
    assert seen == sorted(seen)
    assert seen[-1] - seen[0] > 3660


def test_what_waits_still_keeps_the_rest_of_its_delay(loop: Any) -> None:
    fired: list[float] = []

    async def arm() -> list[Any]:
        first = loop.call_later(10.02, lambda: fired.append(time.perf_counter()))
        second = loop.call_later(10.01, pytest.fail, "it was cancelled")
        await asyncio.sleep(10)
        return [first, second]

    with FakeClock():
        first, second = loop.run_until_complete(arm())
    assert not fired
    assert 0 <= first.when() - loop.time() <= 0.020001
    second.cancel()
    began = time.perf_counter()
    loop.run_until_complete(asyncio.sleep(0.05))
    assert len(fired) == 1
    assert fired[0] - began >= 0.015
    assert not first.cancelled()


def test_what_waited_before_keeps_its_remaining_delay(loop: Any) -> None:
    fired: list[tuple[str, float]] = []

    async def main() -> None:
        begun = loop.time()

        def note(name: str) -> None:
            fired.append((name, round(loop.time() - begun)))

        loop.call_later(30, note, "older")
        cancelled = loop.call_later(40, note, "cancelled")
        beats = asyncio.create_task(beat())
        await asyncio.sleep(0)
        async with FakeClock():
            loop.call_later(20, note, "younger")
            await asyncio.sleep(35)
            cancelled.cancel()
            await asyncio.sleep(25)
            assert beats.done()

    async def beat() -> None:
        for _ in range(5):
            await asyncio.sleep(10)

    loop.run_until_complete(main())
    assert [name for name, _ in fired] == ["younger", "older"]


def test_an_older_timer_goes_on_with_what_remains(loop: Any) -> None:
    fired: list[float] = []

    async def main() -> None:
        loop.call_later(10.03, lambda: fired.append(time.perf_counter()))
        async with FakeClock():
            await asyncio.sleep(10)
            assert not fired
        began = time.perf_counter()
        await asyncio.sleep(0.1)
        assert len(fired) == 1
        assert fired[0] - began >= 0.01

    loop.run_until_complete(main())


def test_a_timer_of_a_loop_that_does_not_run_yet_is_in_virtual_time(loop: Any) -> None:
    with FakeClock() as clock:
        loop.call_later(3600, loop.stop)
        loop.run_forever()
        assert 3600 <= round(clock.elapsed, 1) <= 3601


def test_the_loop_goes_on_when_the_clock_ends_within_a_task(loop: Any) -> None:
    async def main() -> None:
        async with FakeClock() as clock:
            sleeper = asyncio.create_task(asyncio.sleep(7200.01))
            await asyncio.sleep(7200)
            assert clock.elapsed == 7200
        began = time.perf_counter()
        await sleeper
        assert time.perf_counter() - began >= 0.008

    loop.run_until_complete(main())


def test_the_clock_keeps_no_loop_alive() -> None:
    loops: list[weakref.ref[Any]] = []

    async def story() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        asyncio.get_running_loop().call_later(3600, print).cancel()
        await asyncio.sleep(1)

    clock = FakeClock()
    with clock:
        for _ in range(3):
            uvloop.run(story())
    gc.collect()
    assert [reference() for reference in loops] == [None, None, None]


# --- the leak detector --------------------------------------------------------------------------


def test_a_timer_that_is_left_is_told_with_its_virtual_time(loop: Any) -> None:
    left: list[asyncio.TimerHandle] = []

    async def leave() -> None:
        left.append(loop.call_later(3600, print))

    with FakeClock(), pytest.raises(LeakGroup, match="print"), no_leaks():
        loop.run_until_complete(leave())
    left[0].cancel()


def test_a_timer_that_outlives_the_clock_is_told(loop: Any) -> None:
    left: list[asyncio.TimerHandle] = []

    async def leave() -> None:
        async with FakeClock():
            left.append(loop.call_later(3600, print))

    with pytest.raises(LeakGroup, match="print"), no_leaks():
        loop.run_until_complete(leave())
    left[0].cancel()


def test_the_timers_of_the_clock_are_listed() -> None:
    async def story(clock: FakeClock) -> None:
        handle = asyncio.get_running_loop().call_later(30, print)
        (timer,) = clock.timers()
        assert timer.due_in == 30
        assert os.path.basename(timer.created_at).startswith("test_uvloop.py:")
        handle.cancel()
        assert clock.timers() == []

    run(story)
