"""Is the clock in force in every way to run a test, only there, and never at the cost of the neighbours?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

QUICK = """
import time


@pytest.fixture(autouse=True)
def quick():
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < 3
"""


@pytest.mark.parametrize("loop_scope", ["function", "class", "module", "session"])
def test_pytest_asyncio(suite: Suite, loop_scope: str) -> None:
    done = suite(
        f"""
        {QUICK.replace(chr(10), chr(10) + " " * 8)}
        TIMES = []

        @pytest.mark.asyncio(loop_scope={loop_scope!r})
        class TestIt:
            async def test_real_before(self):
                TIMES.append(asyncio.get_running_loop().time())

            async def test_fake(self, fake_clock):
                TIMES.append(asyncio.get_running_loop().time())
                await asyncio.sleep(3600)
                assert fake_clock.elapsed == 3600
                TIMES.append(asyncio.get_running_loop().time())

            async def test_real_after(self):
                TIMES.append(asyncio.get_running_loop().time())
                began = time.perf_counter()
                await asyncio.sleep(0.02)
                assert time.perf_counter() - began >= 0.0195

            @pytest.mark.fake_clock
            async def test_fake_again(self):
                before = asyncio.get_running_loop().time()
                await asyncio.sleep(60)
                assert asyncio.get_running_loop().time() - before == 60

        def test_time_did_not_go_back():
            assert {loop_scope!r} == "function" or TIMES == sorted(TIMES)
        """
    )
    assert done.counts == "5 passed"


def test_a_task_of_a_wide_fixture_lives_on(suite: Suite) -> None:
    done = suite(
        """
        import time
        import pytest_asyncio

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def beats():
            beats = []
            async def beat():
                while True:
                    await asyncio.sleep(30)
                    beats.append(asyncio.get_running_loop().time())
            task = asyncio.create_task(beat(), name="beat")
            yield beats
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        @pytest.mark.asyncio(loop_scope="session")
        async def test_jumps(beats, fake_clock):
            await asyncio.sleep(100)
            assert len(beats) == 3

        @pytest.mark.asyncio(loop_scope="session")
        async def test_real(beats):
            await asyncio.sleep(0.01)
            assert len(beats) == 3

        @pytest.mark.asyncio(loop_scope="session")
        async def test_jumps_again(beats, fake_clock):
            await fake_clock.run_until_idle()  # what a fixture has started does not count
            assert len(beats) == 3
            await asyncio.sleep(20)
            assert len(beats) == 4
        """
    )
    assert done.counts == "3 passed"


@pytest.mark.parametrize("backend", ["asyncio", "asyncio+uvloop"])
def test_anyio(suite: Suite, backend: str) -> None:
    if "uvloop" in backend:
        pytest.importorskip("uvloop")
    suite.plugins = ["anyio", "taskleak"]
    suite.ini = {}
    done = suite(
        f"""
        import anyio

        @pytest.fixture(params=[("asyncio", {{"use_uvloop": {"uvloop" in backend}}})])
        def anyio_backend(request):
            return request.param

        @pytest.fixture
        async def real():
            yield asyncio.get_running_loop().time()

        @pytest.mark.anyio
        async def test_sleep(real, fake_clock):
            with anyio.move_on_after(5) as scope:
                await anyio.sleep(3600)
            assert scope.cancelled_caught
            assert fake_clock.elapsed == 5

        @pytest.mark.anyio
        async def test_deadlock(real, fake_clock):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep_forever)
        """
    )
    assert done.counts == "1 failed, 1 passed"
    assert "DeadlockError: nothing can run" in done.one("test_deadlock[anyio_backend0]", "call").text


def test_aiohttp(suite: Suite) -> None:
    pytest.importorskip("aiohttp")
    suite.plugins = ["asyncio", "aiohttp", "taskleak"]
    done = suite(
        """
        from aiohttp import web
        from aiohttp.test_utils import AioHTTPTestCase

        async def slow(request):
            await asyncio.sleep(50)
            return web.Response(text="late")

        def app():
            made = web.Application()
            made.router.add_get("/", slow)
            return made

        async def test_client(aiohttp_client, fake_clock):
            client = await aiohttp_client(app())
            answer = await client.get("/")
            assert await answer.text() == "late"
            assert fake_clock.elapsed == 50
            with pytest.raises(asyncio.TimeoutError):
                async with asyncio.timeout(10):
                    await client.get("/")

        @pytest.mark.fake_clock
        class TestCase(AioHTTPTestCase):
            async def get_application(self):
                return app()

            async def test_it(self):
                before = asyncio.get_running_loop().time()
                assert await (await self.client.get("/")).text() == "late"
                assert asyncio.get_running_loop().time() - before == 50
        """
    )
    assert done.counts == "2 passed"


def test_unittest(suite: Suite) -> None:
    done = suite(
        """
        import unittest

        @pytest.mark.fake_clock
        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                await asyncio.sleep(100)

            async def test_it(self):
                before = asyncio.get_running_loop().time()
                await asyncio.sleep(3600)
                assert asyncio.get_running_loop().time() - before == 3600

            async def test_deadlock(self):
                await asyncio.Event().wait()

        class TestReal(unittest.IsolatedAsyncioTestCase):
            async def test_it(self):
                await asyncio.sleep(0)
        """
    )
    assert done.counts == "1 failed, 2 passed"
    assert "DeadlockError: nothing can run" in done.of("TestIt::test_deadlock", "call")[0].text


def test_plain_runs(suite: Suite) -> None:
    done = suite(
        """
        def test_run(fake_clock):
            asyncio.run(asyncio.sleep(3600))
            asyncio.run(asyncio.sleep(400))
            assert fake_clock.elapsed == 4000

        def test_runner(fake_clock):
            with asyncio.Runner() as runner:
                runner.run(asyncio.sleep(3600))
                runner.run(asyncio.sleep(400))
            assert fake_clock.elapsed == 4000

        def test_steps(fake_clock):
            out = []
            async def main():
                await asyncio.sleep(5)
                out.append("done")
            fake_clock.auto = False
            with asyncio.Runner() as runner:
                loop = runner.get_loop()
                runner.run(asyncio.sleep(0))
                task = loop.create_task(main())
                fake_clock.advance(4)
                assert out == []
                fake_clock.advance(1)
                assert out == ["done"]

        def test_without_any_loop(fake_clock):
            fake_clock.advance(10)
            assert fake_clock.elapsed == 10

        def test_asked_for_late(request):
            clock = request.getfixturevalue("fake_clock")
            asyncio.run(asyncio.sleep(99))
            assert clock.elapsed == 99
        """
    )
    assert done.counts == "5 passed"


def test_fixtures_live_in_real_time_unless_they_ask(suite: Suite) -> None:
    done = suite(
        """
        import time
        import pytest_asyncio
        SEEN = []

        @pytest_asyncio.fixture
        async def real():
            began = time.perf_counter()
            await asyncio.sleep(0.02)
            assert time.perf_counter() - began >= 0.0195
            yield
            began = time.perf_counter()
            await asyncio.sleep(0.02)
            assert time.perf_counter() - began >= 0.0195
            SEEN.append("real")

        @pytest_asyncio.fixture
        async def asks(fake_clock):
            await asyncio.sleep(1000)
            yield fake_clock
            await asyncio.sleep(2000)
            SEEN.append(fake_clock.elapsed)

        async def test_it(asks, real):
            assert asks.elapsed == 1000
            await asyncio.sleep(10)
            assert asks.elapsed == 1010

        def test_after():
            assert SEEN == ["real", 3010]
            assert asyncio.events.TimerHandle is asyncio.TimerHandle
        """
    )
    assert done.counts == "2 passed"


def test_marker_options(suite: Suite) -> None:
    done = suite(
        """
        @pytest.mark.fake_clock(auto=False)
        class TestManual:
            async def test_it(self, fake_clock):
                assert not fake_clock.auto
                await fake_clock.advance(3)
                assert fake_clock.elapsed == 3

            @pytest.mark.fake_clock(auto=True, lateness=0.5)
            async def test_nearer_marker_wins(self, fake_clock):
                await asyncio.sleep(1)
                assert fake_clock.elapsed == 1.5
        """
    )
    assert done.counts == "2 passed"


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (
            "atuo=False",
            "marker fake_clock of test_it.py::test_it: there is no option 'atuo'; there are auto, io",
        ),
        (
            "io='never'",
            "marker fake_clock of test_it.py::test_it: io must be one of grace, freeze, ignore - got 'never'",
        ),
        ("5", "marker fake_clock of test_it.py::test_it takes names with values, as auto=False - got (5,)"),
    ],
)
def test_bad_marker(suite: Suite, marker: str, message: str) -> None:
    done = suite(
        f"""
        @pytest.mark.fake_clock({marker})
        async def test_it():
            pass
        """
    )
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert message in done.out + done.err


def test_without_the_watch(suite: Suite) -> None:
    done = suite(
        """
        async def test_it(fake_clock):
            await asyncio.sleep(3600)
            assert fake_clock.elapsed == 3600
        """,
        taskleak=False,
    )
    assert done.counts == "1 passed"


def test_a_leak_is_told_with_its_virtual_time(suite: Suite) -> None:
    done = suite(
        """
        async def test_timer(fake_clock):
            asyncio.get_running_loop().call_later(300, print, "x")
            await asyncio.sleep(2)

        async def test_task(fake_clock):
            task = asyncio.create_task(asyncio.sleep(1000), name="left")
            GATES.append(task)
            await asyncio.sleep(10)

        async def test_clean(fake_clock):
            await asyncio.create_task(asyncio.sleep(1000))
        """
    )
    assert done.told() == {"test_timer": ["TL201 print"], "test_task": ["TL101 left"]}
    assert "due in 298 s of virtual time" in done.findings("test_timer")[0]["waits_for"]


def test_its_section_says_what_it_did(suite: Suite) -> None:
    done = suite(
        """
        import time

        async def test_it(fake_clock):
            await asyncio.sleep(3600)
            await asyncio.to_thread(time.sleep, 0.02)
            assert 0
        """
    )
    (section,) = [text for name, text in done.one("test_it", "call").sections if "fake clock" in name]
    assert section.startswith("1 jump over 3,600 s; waited in real time for ")


def test_xdist(suite: Suite) -> None:
    pytest.importorskip("xdist")
    suite.plugins = ["asyncio", "taskleak", "xdist"]
    done = suite(
        """
        @pytest.mark.fake_clock
        @pytest.mark.parametrize("number", range(6))
        async def test_it(number, fake_clock):
            await asyncio.sleep(3600)
            assert fake_clock.elapsed == 3600
        """,
        "-n2",
        process=True,
    )
    assert done.counts == "6 passed"


SEEDED = """
        import pathlib

        async def test_it(fake_clock):
            order = []

            async def wait(number):
                await asyncio.sleep(1)
                order.append(number)

            await asyncio.gather(*(wait(number) for number in range(20)))
            with pathlib.Path(__file__).with_name("orders").open("a") as file:
                file.write(f"{order}\\n")
            assert 0
"""


def trace_in(done: Done) -> str:
    """Return the line that tells how a failure is run again."""
    (section,) = [text for name, text in done.one("test_it", "call").sections if "fake clock" in name]
    (line,) = [line for line in section.splitlines() if line.startswith("seed ")]
    return line


def test_a_seed_decides_the_order_and_is_printed(suite: Suite) -> None:
    lines = [trace_in(suite(SEEDED, f"--taskleak-seed={seed}")) for seed in (7, 7, 8)]
    assert lines[0].startswith("seed 7, trace ")
    assert lines[0].endswith(": to run it again: --taskleak-seed=7")
    assert lines[0] == lines[1]
    assert lines[0].split()[3] != lines[2].split()[3]
    first, second, third = (suite.pytester.path / "orders").read_text().splitlines()
    assert first == second
    assert first != third


def test_a_random_seed_can_be_run_again(suite: Suite) -> None:
    line = trace_in(suite(SEEDED, "--taskleak-seed=random"))
    assert trace_in(suite(SEEDED, line.rpartition(" ")[2])) == line


def test_without_a_seed_nothing_is_said_of_it(suite: Suite) -> None:
    done = suite(SEEDED)
    assert not [text for _, text in done.one("test_it", "call").sections if "seed" in text]


@pytest.mark.parametrize("value", ["x", "-1", "1.5"])
def test_a_bad_seed(suite: Suite, value: str) -> None:
    done = suite(SEEDED, f"--taskleak-seed={value}")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert f"'seed' must be none, random or a whole number, 0 or more - got '{value}'" in done.out + done.err
