"""Each row of the semantics table in docs/reference/fake-clock.md: is it so?

The row `sleep-exact` is `test_sleep_exact`, and so on; the last tests hold the page and the code together.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak import (
    DeadlockError,
    ExternalWorkTimeout,
    FakeClock,
    FakeClockError,
    LivelockError,
    TimeWentReal,
    UnsupportedLoop,
)
from pytest_taskleak.clock import endless
from pytest_taskleak.clock.timers import Timer
from pytest_taskleak.loops import errors, hooks, virtual
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.stats import Stats

if TYPE_CHECKING:
    from tests.conftest import Suite

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "fake-clock.md"
SERVER = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
client, _ = server.accept()
while data := client.recv(100):
    time.sleep(float(sys.argv[1]))
    client.sendall(data)
"""
Story = Callable[[FakeClock], Awaitable[Any]]


def run(story: Story, **options: Any) -> FakeClock:
    """Run a story under a clock, and return the clock."""

    async def main() -> FakeClock:
        async with FakeClock(**options) as clock:
            await story(clock)
        return clock

    return asyncio.run(main())


async def tick(period: float, seen: list[float], clock: FakeClock) -> None:
    """Note the time again and again."""
    while True:
        await asyncio.sleep(period)
        seen.append(clock.elapsed)


def called_back(delay: float = 0.03) -> tuple[threading.Thread, asyncio.Event]:
    """Return a thread that has begun, and what it sets in the loop after so many real seconds."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        time.sleep(delay)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(event.set)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, event


@contextlib.contextmanager
def outside(latency: float) -> Iterator[int]:
    """Run a server in another process that answers after so many real seconds."""
    command = [sys.executable, "-S", "-c", SERVER, str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@contextlib.asynccontextmanager
async def connected(port: int) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


# --- what jumps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.1, 1 / 3, 3600])
def test_sleep_exact(delay: float) -> None:
    async def story(clock: FakeClock) -> None:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(delay)
        assert asyncio.get_running_loop().time() - before == round(delay, 9)

    clock = run(story)
    assert clock.elapsed == round(delay, 9)
    assert clock.stats.jumps == 1


def test_timeout_exact() -> None:
    async def story(clock: FakeClock) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()

    assert run(story).elapsed == 30


def test_equal_timers_fifo() -> None:
    async def story(clock: FakeClock) -> None:
        order: list[int] = []
        loop = asyncio.get_running_loop()
        for number in range(20):
            loop.call_at(loop.time() + 5, order.append, number)
        await asyncio.sleep(5)
        assert order == list(range(20))

    run(story)


def test_ready_first() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1e-6):
            for _ in range(300):
                await asyncio.sleep(0)

    assert run(story).elapsed == 0


@pytest.mark.parametrize("delay", [97 * 86400, 1e9, 1000 * 365.25 * 86400])
def test_far_future(delay: float) -> None:
    async def story(clock: FakeClock) -> None:
        await asyncio.sleep(delay)
        await asyncio.sleep(1)

    assert run(story).elapsed == delay + 1


def test_busy_wait_creeps() -> None:
    async def story(clock: FakeClock) -> None:
        done: list[int] = []
        asyncio.get_running_loop().call_later(0.002, done.append, 1)
        while not done:
            await asyncio.sleep(0)

    clock = run(story)
    assert 0.002 <= clock.elapsed < 0.01
    assert clock.stats.busy_turns


def test_thread_parked_jumps() -> None:
    async def story(clock: FakeClock) -> None:
        gate = threading.Event()
        thread = threading.Thread(target=gate.wait)
        thread.start()
        await asyncio.sleep(3600)
        gate.set()
        thread.join()

    assert run(story).elapsed == 3600


def test_timed_wait_jumps() -> None:
    async def story(clock: FakeClock) -> None:
        gate = threading.Event()
        thread = threading.Thread(target=gate.wait, args=(60,))
        thread.start()
        await asyncio.sleep(3600)
        gate.set()
        thread.join()

    assert run(story).elapsed == 3600


def test_thread_timer_freezes() -> None:
    async def story(clock: FakeClock) -> None:
        fired = asyncio.Event()
        timer = threading.Timer(0.03, asyncio.get_running_loop().call_soon_threadsafe, [fired.set])
        timer.start()
        async with asyncio.timeout(1):
            await fired.wait()
        timer.join()

    assert run(story).elapsed == 0


def test_busy_traffic_creeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_WAKES", 100)

    async def story(clock: FakeClock) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            echo_reader, echo_writer = await asyncio.open_connection(sock=theirs)
            opened: list[bool] = []
            asyncio.get_running_loop().call_later(0.05, opened.append, True)
            while not opened:
                writer.write(b"?")
                await echo_reader.readexactly(1)
                echo_writer.write(b"!")
                await reader.readexactly(1)
            for each in (writer, echo_writer):
                each.close()
                await each.wait_closed()

    assert 0.05 <= run(story).elapsed < 1


def test_older_thread_jumps() -> None:
    read, write = os.pipe()
    thread = threading.Thread(target=os.read, args=(read, 1))
    thread.start()
    try:
        assert run(lambda clock: asyncio.sleep(3600)).elapsed == 3600
    finally:
        os.write(write, b"x")
        thread.join()
        os.close(read)
        os.close(write)


def test_ignored_jumps() -> None:
    async def story(clock: FakeClock) -> None:
        thread, event = called_back(0.3)
        clock.ignore(thread)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await event.wait()
        with clock.real():
            await event.wait()
        thread.join()

    assert run(story).elapsed >= 1


def test_child_unawaited_jumps() -> None:
    async def story(clock: FakeClock) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", "input()", stdin=subprocess.PIPE
        )
        await asyncio.sleep(3600)
        assert clock.elapsed == 3600
        await process.communicate(b"\n")

    assert run(story).elapsed == 3600


# --- what waits -----------------------------------------------------------------------------------


def test_thread_running_freezes() -> None:
    async def story(clock: FakeClock) -> None:
        thread, event = called_back()
        async with asyncio.timeout(1):
            await event.wait()
        thread.join()

    clock = run(story)
    assert clock.elapsed == 0
    assert clock.stats.real_wait["thread"] > 0


def test_executor_freezes() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1):
            await asyncio.to_thread(time.sleep, 0.03)
            await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)

    assert run(story).elapsed == 0


def test_child_awaited_freezes() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-S", "-c", "import time; time.sleep(.05)"
            )
            await process.wait()

    clock = run(story)
    assert clock.elapsed == 0
    assert clock.stats.real_wait["child"] > 0


def test_loopback_synchronous() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await writer.drain()
        writer.close()

    async def story(clock: FakeClock) -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            for _ in range(20):
                async with (
                    asyncio.timeout(1),
                    connected(server.sockets[0].getsockname()[1]) as (reader, writer),
                ):
                    writer.write(b"ping")
                    assert await reader.readexactly(4) == b"ping"

    clock = run(story)
    assert clock.elapsed == 0
    assert "peer" not in clock.stats.real_wait


def test_peer_grace_once_per_burst() -> None:
    async def story(clock: FakeClock) -> None:
        async with connected(port) as (reader, writer):
            async with asyncio.timeout(1):
                writer.write(b"ping")
                assert await reader.readexactly(4) == b"ping"
            for _ in range(200):
                await asyncio.sleep(1)

    with outside(0.02) as port:
        clock = run(story)
    assert clock.elapsed == 200
    assert 0 < clock.stats.real_wait["peer"] < 200 * 0.1


def test_io_freeze() -> None:
    async def story(clock: FakeClock) -> None:
        async with asyncio.timeout(1), connected(port) as (reader, writer):
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"

    with outside(0.2) as port:
        assert run(story, io="freeze", io_grace=0).elapsed == 0


def test_io_ignore() -> None:
    async def story(clock: FakeClock) -> None:
        async with connected(port) as (reader, writer):
            writer.write(b"ping")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await reader.readexactly(4)

    with outside(30) as port:
        assert "peer" not in run(story, io="ignore").stats.real_wait


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_signal_at_once() -> None:
    async def story(clock: FakeClock) -> None:
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, heard.set)
        loop.call_later(5, os.kill, os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(6):
            await heard.wait()
        loop.remove_signal_handler(signal.SIGUSR1)

    assert run(story).elapsed == 5


def test_hold() -> None:
    async def story(clock: FakeClock) -> None:
        thread, event = called_back()
        clock.ignore(thread)
        with clock.hold("the broker"):
            async with asyncio.timeout(1):
                await event.wait()
        thread.join()

    clock = run(story)
    assert clock.elapsed == 0
    assert clock.stats.real_wait["hold"] > 0


def test_real() -> None:
    async def story(clock: FakeClock) -> None:
        with clock.real():
            began = time.perf_counter()
            await asyncio.sleep(0.02)
            assert time.perf_counter() - began >= 0.0195
            assert clock.elapsed >= 0.0195

    run(story)


def test_loops_share_time() -> None:
    log: list[tuple[float, str]] = []

    async def beat(name: str, period: float, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(period)
            log.append((clock.elapsed, name))

    async def main() -> None:
        thread.start()
        await beat("main", 3, 2)

    with FakeClock() as clock:
        thread = threading.Thread(target=lambda: asyncio.run(beat("other", 2, 3)))
        asyncio.run(main())
        thread.join()
    assert sorted(log) == [(2, "other"), (3, "main"), (4, "other"), (6, "main"), (6, "other")]
    assert [when for when, _ in log] == [2, 3, 4, 6, 6]


# --- what is refused, and what is named -----------------------------------------------------------


def test_deadlock_named() -> None:
    async def story(clock: FakeClock) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        await queue.get()

    with pytest.raises(
        DeadlockError, match=r"waits for asyncio\.Queue\.get\(\) `queue` at .*test_semantics\.py:\d+"
    ):
        run(story)


def test_cleanup_runs() -> None:
    ran: list[float] = []

    async def story(clock: FakeClock) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(60)
            ran.append(clock.elapsed)

    with pytest.raises(DeadlockError):
        run(story)
    assert ran == [60]


def test_listener_only() -> None:
    async def story(clock: FakeClock) -> None:
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
            await server.serve_forever()

    with pytest.raises(DeadlockError, match=r"a server listens at 127\.0\.0\.1:\d+"):
        run(story)


def test_livelock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST_BUSY", 3000)

    async def story(clock: FakeClock) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(LivelockError, match="never comes to rest"):
        run(story)


def test_heartbeat_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless, "MOST_JUMPS", 2_000)
    monkeypatch.setattr(virtual, "OFTEN", 2**9 - 1)

    async def story(clock: FakeClock) -> None:
        beats = asyncio.create_task(tick(1, [], clock))
        try:
            await asyncio.Event().wait()
        finally:
            beats.cancel()

    with pytest.raises(LivelockError, match="timers never end"):
        run(story)


def test_endless_timers() -> None:
    async def story(clock: FakeClock) -> None:
        beats = asyncio.create_task(tick(1, [], clock))
        try:
            with pytest.raises(LivelockError, match="stopped at 50 times"):
                await clock.run_until_idle(max_timers=50)
        finally:
            beats.cancel()

    run(story)


def test_work_in_vain() -> None:
    gate = threading.Event()

    def spin() -> None:
        while not gate.is_set():
            pass

    async def story(clock: FakeClock) -> None:
        thread = threading.Thread(target=spin, name="spinner")
        thread.start()
        try:
            await asyncio.sleep(1)
        finally:
            gate.set()
            thread.join()

    with pytest.raises(ExternalWorkTimeout, match="'spinner'"):
        run(story, hang_after=0.2)


def test_strict() -> None:
    async def story(clock: FakeClock) -> None:
        async with connected(port):
            await asyncio.sleep(1)

    with (
        outside(0) as port,
        pytest.raises(TimeWentReal, match=rf"answer from 127\.0\.0\.1:{port} may be pending"),
    ):
        run(story, strict=True)


def test_foreign_loop_refused() -> None:
    foreign: Any = object.__new__(type("Foreign", (asyncio.AbstractEventLoop,), {}))

    async def story(clock: FakeClock) -> None:
        with pytest.raises(UnsupportedLoop, match="Foreign keeps its timers where Python cannot reach them"):
            await asyncio.to_thread(asyncio.events._set_running_loop, foreign)

    run(story)


def test_second_clock_refused() -> None:
    async def story(clock: FakeClock) -> None:
        with pytest.raises(FakeClockError, match="another fake clock is in force"), FakeClock():
            pass
        await asyncio.sleep(1)

    assert run(story).elapsed == 1


def test_bad_option_refused() -> None:
    with pytest.raises(ValueError, match="there is no option 'atuo'; there are auto, io"):
        FakeClock(atuo=False)


# --- by hand --------------------------------------------------------------------------------------


def test_advance() -> None:
    async def story(clock: FakeClock) -> None:
        seen: list[float] = []
        beats = asyncio.create_task(tick(1, seen, clock))
        await clock.advance(3.5)
        assert (seen, clock.elapsed) == ([1, 2, 3], 3.5)
        beats.cancel()

    run(story, auto=False)


def test_settle() -> None:
    async def story(clock: FakeClock) -> None:
        seen: list[int] = []

        async def hops() -> None:
            for _ in range(10):
                await asyncio.sleep(0)
            seen.append(1)

        task = asyncio.create_task(hops())
        await clock.settle()
        assert seen == [1]
        await task

    assert run(story, auto=False).elapsed == 0


def test_next() -> None:
    async def story(clock: FakeClock) -> None:
        began = clock.now
        asyncio.get_running_loop().call_later(2, print)
        assert await clock.next() == began + 2
        assert await clock.next() is None

    run(story, auto=False)


def test_background() -> None:
    async def story(clock: FakeClock) -> None:
        beats = clock.background(asyncio.create_task(tick(10, [], clock)))
        asyncio.get_running_loop().call_later(25, print)
        await clock.run_until_idle()
        beats.cancel()

    assert run(story).elapsed == 25


def test_tick() -> None:
    async def story(clock: FakeClock) -> None:
        seen: list[int] = []
        asyncio.get_running_loop().call_later(1, seen.append, 1)
        clock.tick(5)
        assert seen == []
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert seen == [1]

    assert run(story).elapsed == 5


def test_manual_nobody_moves() -> None:
    with pytest.raises(DeadlockError, match="auto is off, the next timer is due in 12 s"):
        run(lambda clock: asyncio.sleep(12), auto=False)


# --- in and out -----------------------------------------------------------------------------------


def test_time_never_back() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        times = [loop.time()]
        for _ in range(2):
            async with FakeClock():
                times.append(loop.time())
                await asyncio.sleep(1000)
                times.append(loop.time())
            times.append(loop.time())
        assert times == sorted(times)

    asyncio.run(main())


def test_pending_keeps_delay() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        handle = loop.call_later(100, print)
        async with FakeClock():
            await asyncio.sleep(60)
        assert handle.when() - loop.time() == pytest.approx(40, abs=1)
        handle.cancel()

    asyncio.run(main())


def test_fixtures_real(suite: Suite) -> None:
    done = suite(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def real():
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0.01)
            yield asyncio.get_running_loop().time() - before

        @pytest_asyncio.fixture
        async def asks(fake_clock):
            await asyncio.sleep(1000)

        async def test_it(fake_clock, real, asks):
            assert 0.009 < real < 60
            assert fake_clock.elapsed == 1000
        """
    )
    assert done.counts == "1 passed"


def test_leak_told_in_virtual_time(suite: Suite) -> None:
    done = suite(
        """
        async def test_it(fake_clock):
            asyncio.get_running_loop().call_later(300, print)
            await asyncio.sleep(2)
        """
    )
    assert "due in 298 s of virtual time" in done.findings("test_it")[0]["waits_for"]


def test_start() -> None:
    async def story(clock: FakeClock) -> None:
        assert asyncio.get_running_loop().time() == 1000

    run(story, start=1000)

    async def main() -> None:
        handle = asyncio.get_running_loop().call_later(1, print)
        with pytest.raises(FakeClockError, match="loop without timers"), FakeClock(start=1000):
            pass
        handle.cancel()

    asyncio.run(main())


def test_lateness() -> None:
    assert run(lambda clock: asyncio.sleep(1), lateness=1e-3).elapsed == 1.001


# --- other clocks, threads, loops -----------------------------------------------------------------


def test_wall() -> None:
    pytest.importorskip("time_machine")
    start = datetime(2030, 1, 1, tzinfo=UTC)

    async def story(clock: FakeClock) -> None:
        await asyncio.sleep(86400)
        assert datetime.now(UTC) == start + timedelta(days=1)
        clock.shift_wall(hours=-1)
        assert datetime.now(UTC) == start + timedelta(hours=23)
        clock.drift_wall(1.5)
        await asyncio.sleep(7200)
        assert datetime.now(UTC) == start + timedelta(hours=26)

    assert run(story, wall=start).elapsed == 86400 + 7200


def test_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("taskleak_semantics")
    module.time, module.monotonic = time, time.monotonic
    monkeypatch.setitem(sys.modules, module.__name__, module)

    async def story(clock: FakeClock) -> None:
        before, outer = module.monotonic(), time.monotonic()
        await asyncio.sleep(3600)
        assert module.time.monotonic() - before == 3600
        assert time.monotonic() - outer < 3600

    run(story, modules=[module.__name__])
    assert module.monotonic is time.monotonic


def test_threads() -> None:
    async def story(clock: FakeClock) -> None:
        thread = threading.Thread(target=time.sleep, args=(30,))
        thread.start()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.to_thread(thread.join)
        assert clock.elapsed == 5
        await asyncio.to_thread(thread.join)
        assert clock.elapsed == 30

    run(story, threads=True)


def test_blocking_sleep_told() -> None:
    async def story(clock: FakeClock) -> None:
        time.sleep(5)

    clock = run(story, threads=True)
    assert clock.elapsed == 5
    (note,) = clock.stats.notes
    assert "blocks the loop" in note


def test_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    with FakeClock() as clock:
        uvloop.run(asyncio.sleep(3600))
        assert clock.elapsed == 3600


def test_trio() -> None:
    trio = pytest.importorskip("trio")
    with FakeClock() as clock:
        trio.run(trio.sleep, 3600)
        assert clock.elapsed == 3600


def test_seed_legal_orders() -> None:
    def orders(seed: int) -> tuple[list[int], list[int]]:
        ties: list[int] = []
        soon: list[int] = []

        async def story(clock: FakeClock) -> None:
            loop = asyncio.get_running_loop()
            for number in range(5):
                loop.call_at(clock.now + 1, ties.append, number)
                loop.call_soon(soon.append, number)
            await asyncio.sleep(2)

        run(story, seed=seed)
        return ties, soon

    found = [orders(seed) for seed in range(8)]
    assert found == [orders(seed) for seed in range(8)]
    assert len({tuple(ties) for ties, _ in found}) > 1
    assert all(soon == [0, 1, 2, 3, 4] for _, soon in found)


# --- the page -------------------------------------------------------------------------------------


def part(heading: str) -> str:
    """Return what stands under a heading of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def told(heading: str) -> list[str]:
    """Return the words in code font that the rows of tables under a heading begin with."""
    return re.findall(r"^\| `(\w[\w-]*)", part(heading), re.MULTILINE)


def test_the_page_has_a_row_for_each_test_and_the_other_way_round() -> None:
    tests = [name.removeprefix("test_") for name in globals() if name.startswith("test_")]
    rows = told("Semantics")
    assert len(rows) == len(set(rows))
    assert set(rows) == {name.replace("_", "-") for name in tests if not name.startswith("the_page_")}


def test_the_page_tells_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", part("Options"), re.MULTILINE)
    assert [(name, ast.literal_eval(value)) for name, value in rows] == [
        (field.name, field.default) for field in fields(Settings)
    ]


def test_the_page_tells_every_public_name() -> None:
    assert set(told("Methods")) == {name for name in vars(FakeClock) if not name.startswith("_")}
    assert told("`Timer`") == [field.name for field in fields(Timer)]
    public = [name for name in vars(Stats) if not name.startswith("_") and name not in ("waited", "note")]
    assert set(told("`Stats`")) == set(public)
    assert set(told("Errors")) == {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
