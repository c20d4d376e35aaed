"""Do workers and their controller tell the same as one process?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

TESTS = """
    @pytest.fixture(scope="module")
    def server():
        threading.Thread(target=threading.Event().wait, name="server", daemon=True).start()
        yield

    async def test_leaks():
        asyncio.create_task(forever(), name="left")

    def test_tidy():
        pass

    def test_uses(server):
        pass

    def test_late():
        loop = asyncio.new_event_loop()
        pytest.loop = loop

        async def main():
            asyncio.create_task(forever(), name="on-open-loop")

        loop.run_until_complete(main())

    @pytest.mark.taskleak(mode="warn")
    async def test_warned():
        asyncio.get_running_loop().call_later(60, print)
"""


@pytest.mark.parametrize("args", [(), ("-n2",), ("-n1", "--dist=loadfile")], ids=["plain", "n2", "loadfile"])
def test_same_verdicts(suite: Suite, args: tuple[str, ...]) -> None:
    suite.plugins.append("xdist")
    suite.ini["taskleak_allow"] = "\n  task:unused"
    done = suite(TESTS, "--taskleak-detect=-loop", *args, process=True)
    told = done.told()
    last = {"test_uses": ["TL301 server"]}
    assert told == {
        "test_leaks": ["TL101 left"],
        "test_late": ["TL101 on-open-loop"],
        "test_warned": ["TL201 print"],
        **last,
    }
    assert sorted(done.failed()) == [("test_late", "call"), ("test_leaks", "call"), ("test_uses", "teardown")]
    assert done.counts == "2 failed, 3 passed, 1 warning, 1 error"
    assert done.out.count("= taskleak summary =") == 1
    assert "taskleak: 4 leaks in 4 tests" in done.out
    assert done.out.count("taskleak: fail; watching") == 1
    assert done.out.count("rule 'task:unused' (ini taskleak_allow) matched nothing") == 1
    assert "LEAKED test_it.py::test_leaks - TaskLeak: 1 task outlived the test: 'left' [TL101]" in done.out


@pytest.mark.parametrize("args", [(), ("-n1",)], ids=["plain", "worker"])
def test_late_findings_are_charged_to_the_maker(suite: Suite, args: tuple[str, ...]) -> None:
    suite.plugins.append("xdist")
    done = suite(
        """
        later = []

        @pytest.fixture(scope="session")
        def loop():
            loop = asyncio.new_event_loop()
            yield loop
            loop.close()

        def test_maker(loop):
            async def arm():
                gate = asyncio.Event()
                later.append(gate)

                async def wait():
                    await gate.wait()
                    asyncio.create_task(forever(), name="late-child")

                later.append(asyncio.create_task(wait(), name="waits"))

            loop.run_until_complete(arm())

        pytestmark = pytest.mark.taskleak(allow="task:waits")

        def test_neighbour(loop):
            async def let():
                later[0].set()
                await asyncio.sleep(0.01)
            loop.run_until_complete(let())

        def test_last():
            pass
        """,
        *args,
        process=True,
    )
    assert {name: [w.split()[1] for w in words] for name, words in done.told().items()} == {
        "test_maker": ["late-child"]
    }
    assert done.one("test_neighbour", "call").outcome == "passed"
    assert [r.outcome for r in done.of("test_maker")] == ["passed", "passed", "passed", "failed"]
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in done.out


def test_usage_error_on_the_controller(suite: Suite) -> None:
    suite.plugins.append("xdist")
    done = suite("def test_a(): pass", "-n2", "--taskleak-grace=soon", process=True)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "'soon'" in done.err


def test_marker_usage_error_on_a_worker(suite: Suite) -> None:
    suite.plugins.append("xdist")
    done = suite(
        """
        @pytest.mark.taskleak(alow="x")
        def test_a():
            pass
        """,
        "-n1",
        process=True,
    )
    assert done.ret != pytest.ExitCode.OK
    assert "'alow'" in done.out + done.err


def test_marker_with_the_option_off(suite: Suite) -> None:
    suite.plugins.append("xdist")
    done = suite(
        """
        @pytest.mark.taskleak
        async def test_a():
            asyncio.create_task(forever(), name="left")
        """,
        "-n1",
        taskleak=False,
        process=True,
    )
    assert done.told() == {"test_a": ["TL101 left"]}
    assert "LEAKED test_it.py::test_a" in done.out
    assert "taskleak summary" in done.out
