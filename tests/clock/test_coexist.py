"""Does the clock get on with others that touch time, loops or blocking calls?"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

PRELUDE = """\
import asyncio
import datetime
import threading
import time

import pytest


async def work(clock):
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with asyncio.timeout(7200):
        await asyncio.sleep(3600)
        await asyncio.to_thread(sum, range(1000))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await asyncio.Event().wait()
    await talk()
    assert clock.elapsed == 3630
    assert loop.time() - before == 3630


async def talk():
    async def echo(reader, writer):
        writer.write(await reader.read(4))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server, asyncio.timeout(0.001):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"ping")
        assert await reader.read() == b"ping"
        writer.close()
        await writer.wait_closed()
"""


def run(suite: Suite, tests: str, *args: str, plugins: tuple[str, ...] = (), process: bool = False) -> str:
    """Run tests beside other plugins; return how many passed."""
    suite.plugins = ["asyncio", "taskleak", *plugins]
    suite.write(tests, prelude=PRELUDE)
    paths = [
        str(suite.pytester.path),
        *filter(None, sys.path),
    ]  # of whatever is not in the environment itself
    done = suite.run(*args, process=process, env={"PYTHONPATH": os.pathsep.join(paths)})
    assert not done.failed(), done.out
    assert not done.findings(), done.out
    return done.counts.partition(",")[0]  # the others may warn


# --- looptime ----------------------------------------------------------------------------------------

LOOPTIME = ("looptime_plugin", "looptime_timeproxies", "looptime_chronometers")


@pytest.fixture
def looptime() -> tuple[str, ...]:
    """Return its plugins by their modules; it patches every loop of pytest-asyncio at its creation."""
    pytest.importorskip("looptime")
    return tuple(f"looptime._internal.{name.removeprefix('looptime_')}" for name in LOOPTIME)


def test_looptime_is_installed(suite: Suite, looptime: tuple[str, ...]) -> None:
    tests = """
    async def test_ours(fake_clock):
        await work(fake_clock)

    async def test_real():
        began = time.perf_counter()
        await asyncio.sleep(0.05)
        assert time.perf_counter() - began >= 0.05
    """
    assert run(suite, tests, plugins=looptime, process=True) == "2 passed"


def test_looptime_is_used_by_other_tests(suite: Suite, looptime: tuple[str, ...]) -> None:
    tests = """
    @pytest.mark.looptime
    async def test_before():
        began = time.perf_counter()
        await asyncio.sleep(300)
        assert time.perf_counter() - began < 60

    async def test_ours(fake_clock):
        await work(fake_clock)

    @pytest.mark.looptime
    async def test_after():
        began = time.perf_counter()
        await asyncio.sleep(300)
        assert time.perf_counter() - began < 60
    """
    assert run(suite, tests, plugins=looptime, process=True) == "3 passed"


def test_looptime_is_used_by_the_same_test(suite: Suite, looptime: tuple[str, ...]) -> None:
    """The clock goes its own way, and gives the loop back as it was."""
    tests = """
    @pytest.mark.looptime
    async def test_both(fake_clock):
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(3600)
        assert loop.time() - before == 3600
        assert fake_clock.elapsed == 3600
    """
    assert run(suite, tests, plugins=looptime, process=True) == "1 passed"


# --- freezegun ---------------------------------------------------------------------------------------


def test_freezegun_frozen(suite: Suite) -> None:
    pytest.importorskip("freezegun")
    tests = """
    from freezegun import freeze_time

    @freeze_time("2020-01-01")
    async def test_around(fake_clock):
        await work(fake_clock)
        assert datetime.datetime.now() == datetime.datetime(2020, 1, 1)

    async def test_inside(fake_clock):
        with freeze_time("2020-01-01"):
            await work(fake_clock)
            assert time.time() == datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
        await asyncio.sleep(5)
        assert fake_clock.elapsed == 3635

    async def test_in_and_out(fake_clock):
        await asyncio.sleep(1)
        freezer = freeze_time("2020-01-01")
        freezer.start()
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(1)
        freezer.stop()
        await task
        assert fake_clock.elapsed == 11
    """
    assert run(suite, tests) == "3 passed"


def test_freezegun_moving(suite: Suite) -> None:
    pytest.importorskip("freezegun")
    tests = """
    from freezegun import freeze_time

    @freeze_time("2020-01-01", tick=True)
    async def test_ticking(fake_clock):
        await work(fake_clock)

    @freeze_time("2020-01-01", auto_tick_seconds=15)
    async def test_ticking_by_itself(fake_clock):
        await work(fake_clock)

    async def test_moved_by_hand(fake_clock):
        with freeze_time("2020-01-01") as frozen:
            await asyncio.sleep(60)
            frozen.tick(60)
            assert datetime.datetime.now() == datetime.datetime(2020, 1, 1, 0, 1)
            frozen.move_to("2019-01-01")
            await asyncio.sleep(60)
        assert fake_clock.elapsed == 120

    @freeze_time("2020-01-01", real_asyncio=True)
    async def test_real_asyncio(fake_clock):
        await work(fake_clock)
    """
    assert run(suite, tests) == "4 passed"


def test_a_clock_in_a_frozen_block(suite: Suite) -> None:
    pytest.importorskip("freezegun")
    tests = """
    from freezegun import freeze_time
    from pytest_taskleak import FakeClock

    def test_of_its_own():
        with freeze_time("2020-01-01"), FakeClock() as clock:
            asyncio.run(work(clock))
    """
    assert run(suite, tests) == "1 passed"


# --- time-machine ------------------------------------------------------------------------------------


def test_time_machine(suite: Suite) -> None:
    pytest.importorskip("time_machine")
    tests = """
    import time_machine

    @time_machine.travel(0, tick=False)
    async def test_standing(fake_clock):
        await work(fake_clock)
        assert time.time() == 0

    @time_machine.travel("2020-01-01T00:00Z", tick=True)
    async def test_ticking(fake_clock):
        await work(fake_clock)
        assert time.gmtime().tm_year == 2020

    async def test_inside(fake_clock):
        with time_machine.travel(0, tick=False) as traveller:
            await asyncio.sleep(60)
            traveller.shift(fake_clock.elapsed)
            assert time.time() == 60
            traveller.move_to(1000)
            await asyncio.sleep(60)
            assert time.time() == 1000
        assert fake_clock.elapsed == 120

    async def test_fixture(fake_clock, time_machine):
        time_machine.move_to(5, tick=False)
        await work(fake_clock)
        assert time.time() == 5
    """
    assert run(suite, tests, plugins=("time_machine",)) == "4 passed"


# --- pytest-timeout ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_pytest_timeout_measures_real_time(suite: Suite, method: str) -> None:
    pytest.importorskip("pytest_timeout")
    suite.ini["timeout"] = "30"
    suite.ini["timeout_method"] = method
    tests = """
    async def test_hours(fake_clock):
        await work(fake_clock)

    @pytest.mark.timeout(20)
    async def test_days(fake_clock):
        for _ in range(1000):
            await asyncio.sleep(86400)
        assert fake_clock.elapsed == 86_400_000

    def test_without_a_loop(fake_clock):
        asyncio.run(work(fake_clock))
    """
    assert run(suite, tests, plugins=("timeout",)) == "3 passed"


def test_pytest_timeout_ends_what_blocks_under_the_clock(suite: Suite) -> None:
    pytest.importorskip("pytest_timeout")
    suite.plugins = ["asyncio", "taskleak", "timeout"]
    tests = """
    @pytest.mark.timeout(0.3, method="signal")
    async def test_blocks(fake_clock):
        await asyncio.sleep(60)
        time.sleep(30)

    async def test_next(fake_clock):
        await work(fake_clock)
    """
    suite.write(tests, prelude=PRELUDE)
    done = suite.run()
    assert done.failed() == [("test_blocks", "call")]
    assert "Timeout" in done.one("test_blocks", "call").text
    assert done.one("test_next", "call").outcome == "passed"


# --- blockbuster -------------------------------------------------------------------------------------


def test_blockbuster(suite: Suite) -> None:
    pytest.importorskip("blockbuster")
    tests = """
    from blockbuster import BlockingError, blockbuster_ctx

    @pytest.fixture(autouse=True)
    def strict():
        with blockbuster_ctx():
            yield

    async def test_nothing_of_ours_blocks(fake_clock):
        await work(fake_clock)

    async def test_what_blocks_is_still_caught(fake_clock):
        await asyncio.sleep(10)
        with pytest.raises(BlockingError):
            time.sleep(0.01)

    async def test_threads_are_seen_through_its_wrappers(fake_clock):
        def wait():
            lock.acquire()
            time.sleep(0.02)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(5), loop).result()

        loop, lock = asyncio.get_running_loop(), threading.Lock()
        lock.acquire(blocking=False)
        task = asyncio.create_task(asyncio.to_thread(wait))
        await asyncio.sleep(60)
        lock.release()
        async with asyncio.timeout(5.001):
            await task
        assert fake_clock.elapsed == 65
    """
    assert run(suite, tests, process=True) == "3 passed"


# --- all at once -------------------------------------------------------------------------------------


def test_all_of_them(suite: Suite) -> None:
    """Whatever is installed is there at once."""
    plugins = {
        "looptime": "looptime._internal.plugin",
        "pytest_timeout": "timeout",
        "time_machine": "time_machine",
        "anyio": "anyio",
        "pytest_aiohttp": "aiohttp",
    }
    there = tuple(plugin for module, plugin in plugins.items() if importlib.util.find_spec(module))
    tests = """
    @pytest.mark.asyncio
    async def test_ours(fake_clock):
        await work(fake_clock)

    def test_with_a_loop_of_its_own(fake_clock):
        asyncio.run(work(fake_clock))
    """
    suite.ini["asyncio_mode"] = "strict"
    assert run(suite, tests, plugins=there, process=True) == "2 passed"
