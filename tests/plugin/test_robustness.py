"""What if the plugin itself, its surroundings or the clock misbehave?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

LEAK = """
    async def test_leaks():
        asyncio.create_task(forever(), name="left")
"""


def test_frozen_clock(suite: Suite) -> None:
    pytest.importorskip("freezegun")
    begun = time.perf_counter()
    done = suite(
        """
        from freezegun import freeze_time

        @freeze_time("2020-01-01")
        async def test_leaks():
            asyncio.create_task(forever(), name="left")
            asyncio.get_running_loop().call_later(60, print)

        @pytest.fixture
        def frozen():
            with freeze_time("2020-01-01"):
                yield

        async def test_frozen_by_fixture(frozen):
            asyncio.create_task(forever(), name="left")

        @freeze_time("2020-01-01")
        def test_thread():
            stop = threading.Event()
            threading.Thread(target=stop.wait, name="thread", daemon=True).start()
        """,
        process=True,
    )
    assert set(done.told()) == {"test_leaks", "test_frozen_by_fixture", "test_thread"}
    assert time.perf_counter() - begun < 20


def test_replaced_clock_and_sleep(suite: Suite) -> None:
    done = suite(
        """
        import time

        @pytest.fixture
        def mocked(monkeypatch):
            monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("slept"))
            monkeypatch.setattr(time, "monotonic", lambda: 0.0)
            monkeypatch.setattr(asyncio, "sleep", lambda seconds: pytest.fail("slept"))
            yield

        async def test_leaks(mocked):
            asyncio.create_task(forever(), name="left")
        """,
        process=True,
    )
    assert list(done.told()) == ["test_leaks"]


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("task", "asyncio.BaseEventLoop.create_task = blind_task"),
        ("timer", "asyncio.BaseEventLoop.call_at = blind_timer"),
        ("thread", "threading.Thread.start = blind_thread"),
    ],
)
def test_canary_tells_of_blindness(suite: Suite, kind: str, patch: str) -> None:
    suite.write(
        LEAK,
        suite_tool=f"""
        import asyncio
        import threading

        create_task, call_at, start = (
            asyncio.BaseEventLoop.create_task, asyncio.BaseEventLoop.call_at, threading.Thread.start
        )

        def blind_task(self, coro, **options):
            return create_task(self, coro, **options)

        def blind_timer(self, when, *args, **options):
            return call_at(self, when, *args, **options)

        def blind_thread(self):
            return start(self)

        import pytest_taskleak.engine.patch as engine

        install = engine.PATCHES.install

        def and_blind(*args, **options):
            install(*args, **options)
            {patch}

        engine.PATCHES.install = and_blind
        """,
    )
    done = suite.run("-p", "suite_tool", process=True)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert f"TL902 a planted {kind} was not seen" in done.err
    assert f"taskleak_detect = -{kind}" in done.err
    assert "Traceback" not in done.err
    done = suite.run("-p", "suite_tool", f"--taskleak-detect=-{kind}", process=True)
    assert done.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), done.err


def test_canary_on_workers(suite: Suite) -> None:
    suite.plugins.append("xdist")
    suite.write(
        LEAK,
        suite_tool="""
        import os

        import pytest_taskleak.detectors.tasks as tasks

        if "PYTEST_XDIST_WORKER" in os.environ:
            tasks.Tasks.alive = lambda self, thing: False
        """,
    )
    done = suite.run("-p", "suite_tool", "-n1", process=True)
    assert done.ret not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert "TL902" in done.out + done.err


BROKEN = """
from pytest_taskleak.detectors.base import Detector, Patch
from pytest_taskleak.model import Resource
import sys

class Plug:
    pass

class Plugs(Detector):
    kind = "plug"

    def patches(self, recorder):
        record = recorder(self.kind, mark=False)
        def wrap(original):
            def __init__(self):
                original(self)
                record(self, sys._getframe(1))
            return __init__
        yield Patch(lambda: [Plug], "__init__", wrap, "plugs")

    def alive(self, thing):
        {alive}

    def describe(self, thing):
        {describe}

    def remove(self, thing):
        {remove}

def pytest_taskleak_detectors(config):
    return [Plugs()]
"""
GOOD = {
    "alive": "return True",
    "describe": "return Resource(code='TL801', name='plug')",
    "remove": "return False",
}


@pytest.mark.parametrize("method", ["alive", "describe", "remove"])
def test_raising_detector_is_switched_off(suite: Suite, method: str) -> None:
    broken = BROKEN.format(**{**GOOD, method: "raise ZeroDivisionError('broken detector')"})
    suite.write(
        """
        from suite_plugs import Plug

        kept = []

        def test_first():
            kept.append(Plug())

        def test_second():
            kept.append(Plug())

        async def test_others_stay_awake():
            kept.append(Plug())
            asyncio.create_task(forever(), name="left")
        """,
        suite_plugs=broken,
    )
    done = suite.run("-p", "suite_plugs", process=True)
    assert "INTERNALERROR" not in done.out
    assert "TL101 left" in done.told()["test_others_stay_awake"]
    if method != "remove":
        assert done.out.count("TL901") == 1
        assert done.out.count("broken detector") >= 1
        assert done.one("test_first", "call").outcome == "passed"


def test_fault_is_no_failure_even_with_warnings_as_errors(suite: Suite) -> None:
    broken = BROKEN.format(**{**GOOD, "alive": "raise ZeroDivisionError('broken detector')"})
    suite.write(
        "from suite_plugs import Plug\nkept = []\ndef test_a(): kept.append(Plug())\ndef test_b(): pass",
        suite_plugs=broken,
    )
    done = suite.run("-p", "suite_plugs", "-W", "error", process=True)
    assert "INTERNALERROR" not in done.out
    assert done.counts == "2 passed"
    assert done.out.count("TL901") == 1


@pytest.mark.parametrize("attribute", ["__repr__", "__eq__", "__hash__", "__bool__", "__getattr__"])
def test_no_code_of_the_user_runs_while_looking(suite: Suite, attribute: str) -> None:
    done = suite(
        f"""
        class Angry:
            looking = False

            def {attribute}(self, *args):
                if Angry.looking:
                    print("USER CODE RAN")
                raise AttributeError

            async def serve(self):
                me = self
                Angry.looking = True
                await asyncio.sleep(3600)

            def tick(self):
                pass

        async def test_a():
            angry = Angry()
            asyncio.create_task(angry.serve(), name="left")
            asyncio.get_running_loop().call_later(60, angry.tick)
            await asyncio.sleep(0)
        """,
        process=True,
    )
    assert sorted(done.told()["test_a"]) == ["TL101 left", "TL201 Angry.tick"]
    assert "USER CODE RAN" not in done.out


def test_proxies_are_not_woken(suite: Suite) -> None:
    """A lazy proxy answers for `__class__` by running code, which `isinstance` asks for."""
    done = suite(
        """
        class Proxy:
            @property
            def __class__(self):
                print("USER CODE RAN")
                raise RuntimeError("working outside of context")

            def tick(self):
                pass

        @pytest.fixture(scope="module")
        def wide():
            return [Proxy()]

        async def test_a(wide):
            proxy = Proxy()
            asyncio.get_running_loop().call_later(60, proxy.tick)
            asyncio.create_task(forever(), name="left")
            threading.Thread(target=threading.Event().wait, args=(1,), name="thread", daemon=True).start()
        """,
        process=True,
    )
    assert sorted(done.told().get("test_a", [])) == ["TL101 left", "TL201 Proxy.tick", "TL301 thread"]
    assert "USER CODE RAN" not in done.out
    assert "TL901" not in done.out


def test_clean_run_has_no_sleep_and_no_collection(suite: Suite) -> None:
    done = suite(
        """
        import gc
        import time

        import pytest_taskleak.timing as timing
        import pytest_taskleak.engine.settle as settle

        seen = []

        @pytest.fixture(scope="module", autouse=True)
        def looking():
            gc.disable()
            gc.callbacks.append(lambda phase, info: seen.append(f"gc {phase}"))
            patch = pytest.MonkeyPatch()
            patch.setattr(timing, "pause", lambda *args: seen.append("pause"))
            patch.setattr(settle, "settle", lambda *args: seen.append("settle"))
            yield
            patch.undo()
            gc.callbacks.pop()
            gc.enable()

        @pytest.mark.parametrize("number", range(20))
        async def test_tidy(number):
            task = asyncio.create_task(asyncio.sleep(0))
            await task
            await asyncio.wait_for(asyncio.sleep(0), 5)

        def test_sync():
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()

        def test_look():
            assert seen == []
        """,
        process=True,
    )
    assert done.ret == pytest.ExitCode.OK, done.out


def test_system_exit_in_a_leftover(suite: Suite) -> None:
    done = suite(
        """
        async def exits():
            try:
                await forever()
            finally:
                raise SystemExit(5)

        async def test_a():
            asyncio.create_task(exits(), name="exits")
            await asyncio.sleep(0)

        def test_b():
            pass
        """,
        process=True,
    )
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert done.one("test_b", "call").outcome == "passed"


def test_keyboard_interrupt_in_a_leftover(suite: Suite) -> None:
    done = suite(
        """
        async def interrupts():
            try:
                await forever()
            finally:
                raise KeyboardInterrupt

        async def test_a():
            asyncio.create_task(interrupts(), name="interrupts")
            await asyncio.sleep(0)

        def test_b():
            pass
        """,
        process=True,
    )
    assert "INTERNALERROR" not in done.out
    assert done.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
