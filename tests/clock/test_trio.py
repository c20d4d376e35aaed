"""Does a run of trio live in virtual time behind the same face, and honestly?"""

from __future__ import annotations

import contextlib
import math
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_taskleak import (
    DeadlockError,
    ExternalWorkTimeout,
    FakeClock,
    FakeClockError,
    LivelockError,
    UnsupportedLoop,
)
from pytest_taskleak.loops import trio_clock

trio = pytest.importorskip("trio")
pytest.importorskip("trio.testing")
Story = Callable[[FakeClock], Awaitable[Any]]


def run(story: Story, **options: Any) -> Any:
    """Run a story with trio under a clock, and return what it returns."""
    with FakeClock(**options) as clock:
        return trio.run(story, clock)


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.1, 1 / 3, 1, 3600, 97 * 86400, 1e9])
def test_a_sleep_takes_exactly_its_time(delay: float) -> None:
    async def story(clock: FakeClock) -> None:
        before = trio.current_time()
        await trio.sleep(delay)
        assert trio.current_time() - before == round(delay, 9)
        assert clock.elapsed == round(delay, 9)

    run(story)


def test_hours_take_milliseconds() -> None:
    async def story(clock: FakeClock) -> None:
        for _ in range(3600):
            await trio.sleep(1)
        assert clock.elapsed == 3600
        assert clock.stats.jumps == 3600

    began = time.perf_counter()
    run(story)
    assert time.perf_counter() - began < 3.6


def test_deadlines_fire_at_their_times() -> None:
    seen: list[tuple[str, float]] = []

    async def story(clock: FakeClock) -> None:
        async def tick(name: str, period: float) -> None:
            with trio.move_on_after(13):
                while True:
                    await trio.sleep(period)
                    seen.append((name, clock.elapsed))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick, "three", 3)
            nursery.start_soon(tick, "five", 5)

    run(story)
    assert seen == [("three", 3), ("five", 5), ("three", 6), ("three", 9), ("five", 10), ("three", 12)]


def test_the_clock_of_the_run_is_trios_own() -> None:
    async def story(clock: FakeClock) -> None:
        own = trio.lowlevel.current_clock()
        assert isinstance(own, trio.testing.MockClock)
        own.jump(60)
        assert clock.elapsed == 60
        with pytest.raises(ValueError):
            own.jump(-1)

    run(story)


def test_anyio_runs_on_it() -> None:
    anyio = pytest.importorskip("anyio")

    async def story() -> None:
        with anyio.fail_after(7200):
            await anyio.sleep(3600)

    with FakeClock() as clock:
        anyio.run(story, backend="trio")
        assert clock.elapsed == 3600


def test_runs_follow_each_other() -> None:
    times: list[float] = []

    async def story() -> None:
        times.append(trio.current_time())
        await trio.sleep(60)
        times.append(trio.current_time())

    with FakeClock() as clock:
        trio.run(story)
        trio.run(story)
        assert clock.elapsed == 120
    assert times == sorted(times)


# --- by hand ------------------------------------------------------------------------------------


def test_time_is_moved_by_hand() -> None:
    fired: list[float] = []

    async def story(clock: FakeClock) -> None:
        async def tick() -> None:
            while True:
                await trio.sleep(10)
                fired.append(clock.elapsed)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            await clock.settle()
            assert fired == []
            await clock.advance(25)
            assert fired == [10, 20]
            assert clock.elapsed == 25
            assert await clock.next() == clock.now
            assert fired == [10, 20, 30]
            await clock.advance_to(clock.now + 5)
            assert clock.elapsed == 35
            nursery.cancel_scope.cancel()
        await clock.run_until_idle()
        assert await clock.next() is None

    run(story, auto=False)


def test_endless_timers_are_told() -> None:
    async def story(clock: FakeClock) -> None:
        async def tick() -> None:
            while True:
                await trio.sleep(10)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            await clock.settle()
            with pytest.raises(FakeClockError, match="max_timers"):
                await clock.run_until_idle(max_timers=50)
            nursery.cancel_scope.cancel()

    run(story, auto=False)


def test_moving_by_hand_may_be_cancelled() -> None:
    async def story(clock: FakeClock) -> None:
        with trio.move_on_after(5):
            await clock.advance(3600)
        assert clock.elapsed == 5
        await trio.sleep(60)
        assert clock.elapsed == 65

    run(story)


def test_all_tasks_blocked_comes_before_time_moves() -> None:
    async def story(clock: FakeClock) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 60)
            await trio.testing.wait_all_tasks_blocked()
            assert clock.elapsed == 0
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert clock.elapsed == 0

    run(story)


def test_virtual_time_may_follow_real_time() -> None:
    async def story(clock: FakeClock) -> None:
        before = time.perf_counter()
        with clock.real():
            await trio.sleep(0.02)
        assert time.perf_counter() - before >= 0.018
        await trio.sleep(3600)
        assert 3600 < clock.elapsed < 3700

    run(story)


def test_a_hold_lets_time_stand() -> None:
    async def story(clock: FakeClock) -> None:
        token, done = trio.lowlevel.current_trio_token(), trio.Event()
        with clock.hold("the broker"), trio.fail_after(1):
            threading.Timer(0.02, lambda: token.run_sync_soon(done.set)).start()
            await done.wait()
        assert clock.stats.real_wait["hold"] > 0.01

    run(story)


# --- the real world -----------------------------------------------------------------------------


def test_a_thread_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        for _ in range(20):
            with trio.fail_after(1):
                await trio.to_thread.run_sync(time.sleep, 0.02)
        assert clock.elapsed == 0

    run(story)


def test_a_thread_may_wait_for_the_run() -> None:
    async def story(clock: FakeClock) -> None:
        def work() -> str:
            trio.from_thread.run(trio.sleep, 60)
            return "done"

        assert await trio.to_thread.run_sync(work) == "done"
        assert clock.elapsed == 60

    run(story)


def test_a_raw_thread_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        token, done = trio.lowlevel.current_trio_token(), trio.Event()

        def work() -> None:
            time.sleep(0.02)
            token.run_sync_soon(done.set)

        threading.Thread(target=work).start()
        with trio.fail_after(1):
            await done.wait()

    run(story)


async def echo(stream: Any) -> None:
    async for data in stream:
        await stream.send_all(data)


def test_connections_within_the_process_are_never_too_late() -> None:
    async def story(clock: FakeClock) -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(lambda **k: trio.serve_tcp(echo, 0, host="127.0.0.1", **k))
            port = listener.socket.getsockname()[1]
            for _ in range(100):
                with trio.fail_after(1):
                    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                        await stream.send_all(b"hello")
                        assert await stream.receive_some(5) == b"hello"
            nursery.cancel_scope.cancel()
        assert clock.elapsed == 0

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
    with subprocess.Popen([sys.executable, "-S", "-c", SLOW_SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())

        async def story(clock: FakeClock) -> None:
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                for _ in range(3):
                    await trio.sleep(60)
                    with trio.fail_after(1):
                        await stream.send_all(b"hello")
                        assert await stream.receive_some(5) == b"hello"

        run(story, io_grace=2)  # the other process may be kept waiting on a busy machine
        server.kill()


def test_a_child_process_is_waited_for() -> None:
    async def story(clock: FakeClock) -> None:
        code = "import time; time.sleep(0.2); print('hello')"
        with trio.fail_after(1):
            child = await trio.run_process([sys.executable, "-S", "-c", code], capture_stdout=True)
        assert child.stdout == b"hello\n"
        assert clock.stats.real_wait["child"] > 0.05

    run(story)


def test_a_child_in_the_background_does_not_hold_time() -> None:
    async def story(clock: FakeClock) -> None:
        code = "import time; time.sleep(600)"
        child = await trio.lowlevel.open_process([sys.executable, "-S", "-c", code])
        await trio.sleep(3600)
        child.kill()
        await child.wait()

    run(story)


def test_a_run_and_a_loop_share_the_time() -> None:
    import asyncio

    seen: list[tuple[str, float]] = []

    async def beside(clock: FakeClock) -> None:
        for _ in range(6):
            await asyncio.sleep(2)
            seen.append(("loop", clock.elapsed))

    async def story(clock: FakeClock) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: asyncio.run(beside(clock)))
            for _ in range(4):
                await trio.sleep(3)
                seen.append(("trio", clock.elapsed))

    run(story)
    assert [when for name, when in seen if name == "trio"] == [3, 6, 9, 12]
    assert seen == sorted(seen, key=lambda each: each[1])


# --- the end ------------------------------------------------------------------------------------


def test_a_deadlock_is_an_error_and_cleanup_runs() -> None:
    cleaned: list[str] = []

    async def story(clock: FakeClock) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cleaned.append("yes")

    with pytest.raises(DeadlockError, match=r"trio.*test_trio.py:\d+"):
        run(story)
    assert cleaned == ["yes"]


def test_a_deadlock_within_a_nursery_is_an_error() -> None:
    async def story(clock: FakeClock) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)

    with pytest.RaisesGroup(DeadlockError):
        run(story)


def test_a_deadlock_after_a_thread_is_told_at_once() -> None:
    async def story(clock: FakeClock) -> None:
        await trio.to_thread.run_sync(time.sleep, 0.001)
        await trio.sleep_forever()

    began = time.perf_counter()
    with pytest.raises(DeadlockError):
        run(story)
    assert time.perf_counter() - began < 4


def test_a_main_task_that_swallows_the_error_is_cancelled() -> None:
    async def story(clock: FakeClock) -> None:
        while True:
            with contextlib.suppress(DeadlockError):
                await trio.sleep_forever()

    with pytest.raises(DeadlockError):
        run(story)


def test_a_thread_that_never_ends_is_told() -> None:
    gate = threading.Event()

    def work() -> None:
        while not gate.is_set():
            time.sleep(0.001)

    async def story(clock: FakeClock) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, work)
            try:
                with trio.fail_after(1):
                    await trio.sleep_forever()
            finally:
                gate.set()

    with pytest.RaisesGroup(ExternalWorkTimeout):
        run(story, hang_after=0.1)


# --- the clock and the run ----------------------------------------------------------------------


def test_everything_is_put_back() -> None:
    before = trio._core._run.setup_runner, trio.Process.__init__
    with FakeClock():
        trio.run(trio.sleep, 1)
        assert trio._core._run.setup_runner is not before[0]
    assert (trio._core._run.setup_runner, trio.Process.__init__) == before


def test_a_run_that_is_under_way_gets_the_time_and_gives_it_back() -> None:
    async def main() -> None:
        times = [trio.current_time()]
        with trio.move_on_after(7200.2) as scope:
            async with FakeClock() as clock:
                times.append(trio.current_time())
                await trio.sleep(7200)
                assert clock.elapsed == 7200
                times.append(trio.current_time())
            times.append(trio.current_time())
            began = time.perf_counter()
            await trio.sleep_forever()
        times.append(trio.current_time())
        assert scope.cancelled_caught
        assert time.perf_counter() - began >= 0.01
        assert times == sorted(times)
        assert 7200 <= times[-1] - times[0] < 7260

    trio.run(main)


def test_one_clock_after_the_other_in_one_run() -> None:
    async def main() -> None:
        before = trio.current_time()
        for _ in range(3):
            async with FakeClock() as clock:
                await trio.sleep(0.1)
                assert clock.elapsed == 0.1
        assert 0.3 <= round(trio.current_time() - before, 6) < 60

    trio.run(main)


def test_a_run_with_a_clock_of_its_own_is_left_alone() -> None:
    async def story(clock: FakeClock) -> None:
        before = trio.current_time()
        await trio.sleep(60)
        assert math.isclose(trio.current_time() - before, 60)
        assert clock.elapsed == 0
        with pytest.raises(UnsupportedLoop, match=r"a clock of its own.*leave out clock="):
            await clock.advance(1)

    with FakeClock() as clock:
        trio.run(story, clock, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_clock_within_such_a_run_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(UnsupportedLoop, match="a clock of its own"):
            async with FakeClock():
                pytest.fail("it is in force")
        await trio.sleep(60)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    with FakeClock() as clock:
        trio.run(trio.sleep, 1)
        assert clock.elapsed == 1


def test_a_guest_of_a_loop_lives_in_the_same_time() -> None:
    import asyncio

    async def guest(clock: FakeClock) -> float:
        for _ in range(60):
            await trio.sleep(60)
        return clock.elapsed

    async def host(clock: FakeClock) -> float:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            clock,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        await asyncio.sleep(1800)
        assert clock.elapsed == 1800
        return float((await done).unwrap())

    with FakeClock() as clock:
        assert asyncio.run(host(clock)) == 3600


def test_sockets_of_trio_stay_usable(request: pytest.FixtureRequest) -> None:
    async def story(clock: FakeClock) -> None:
        left, right = trio.socket.socketpair()
        with left, right:
            await trio.sleep(60)
            await left.send(b"x")
            with trio.fail_after(1):
                assert await right.recv(1) == b"x"

    run(story)
    assert socket.socket.send is not None


# --- pytest -------------------------------------------------------------------------------------


def test_the_fixture_works_with_anyios_plugin(pytester: pytest.Pytester) -> None:
    pytest.importorskip("anyio")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(
        textwrap.dedent(
            """
            import anyio, pytest, trio
            from pytest_taskleak import DeadlockError

            pytestmark = pytest.mark.anyio

            @pytest.fixture(scope="module")
            def anyio_backend():
                return "trio"

            @pytest.fixture(scope="module")
            async def ticks():
                seen = []
                async def tick():
                    while True:
                        await anyio.sleep(1)
                        seen.append(trio.current_time())
                async with anyio.create_task_group() as group:
                    group.start_soon(tick)
                    yield seen
                    group.cancel_scope.cancel()

            async def test_before(ticks):
                await anyio.sleep(0.01)
                assert len(ticks) == 0

            async def test_virtual(ticks, fake_clock):
                before = trio.current_time()
                with anyio.fail_after(7200):
                    await anyio.sleep(3600.5)
                assert trio.current_time() - before == 3600.5
                assert fake_clock.elapsed == 3600.5
                assert 3599 <= len(ticks) <= 3601

            async def test_between(ticks):
                seen = len(ticks)
                await anyio.sleep(0.01)
                assert len(ticks) <= seen + 1

            @pytest.mark.fake_clock(auto=False)
            async def test_manual(ticks, fake_clock):
                seen = len(ticks)
                await fake_clock.advance(60)
                assert 59 <= len(ticks) - seen <= 61
                assert ticks == sorted(ticks)

            async def test_thread(fake_clock):
                import time
                for _ in range(5):
                    with anyio.fail_after(0.5):
                        await anyio.to_thread.run_sync(time.sleep, 0.02)
            """
        )
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:looptime")
    result.assert_outcomes(passed=5)


def test_a_deadlock_is_told_in_anyios_plugin(pytester: pytest.Pytester) -> None:
    pytest.importorskip("anyio")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(
        textwrap.dedent(
            """
            import anyio, pytest

            @pytest.fixture
            def anyio_backend():
                return "trio"

            @pytest.mark.anyio
            async def test_it(fake_clock):
                await anyio.Event().wait()
            """
        )
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*DeadlockError: nothing can run*"])


def test_a_busy_wait_lets_time_creep() -> None:
    async def main() -> float:
        before = trio.current_time()
        done = False

        async def later() -> None:
            nonlocal done
            await trio.sleep(0.002)
            done = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(later)
            while not done:
                await trio.lowlevel.checkpoint()
        return float(trio.current_time() - before)

    with FakeClock() as clock:
        assert 0.002 <= trio.run(main) < 0.1
    assert clock.stats.busy_turns


def test_who_never_rests_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio_clock, "MOST_BUSY", 20_000)

    async def main() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    with FakeClock(), pytest.raises(LivelockError, match="never comes to rest"):
        trio.run(main)
