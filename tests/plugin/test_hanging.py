"""Does a test that hangs say why, fail, and let the session go on?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

FAST = "--taskleak-timeout=0.3"
AFTER = """
        def test_after():
            pass
"""


def told(done: Done, name: str, when: str = "call") -> str:
    """The text of a phase that has timed out; the same was printed at once."""
    report = done.one(name, when)
    assert report.outcome == "failed", done.out + done.err
    first = next(line for line in report.text.splitlines() if not line.startswith("[gw"))
    assert first.startswith(f"TL903 {name.rpartition('::')[2]} hangs in its {when}"), report.text
    assert first in done.err
    return report.text


def test_coroutines_that_wait_for_ever(suite: Suite) -> None:
    done = suite(
        """
        async def holder(lock, gate):
            async with lock:
                await gate.wait()

        async def test_lock():
            lock, gate = asyncio.Lock(), asyncio.Event()
            task = asyncio.create_task(holder(lock, gate), name="holder")
            asyncio.get_running_loop().call_later(60, print)
            await asyncio.sleep(0)
            async with lock:
                pass

        async def test_circle():
            both = {}

            async def a():
                await asyncio.sleep(0)
                await both["b"]

            async def b():
                await both["a"]

            both["a"] = asyncio.create_task(a(), name="A")
            both["b"] = asyncio.create_task(b(), name="B")
            await both["a"]

        async def waits():
            try:
                await asyncio.Event().wait()
            finally:
                print("child cleaned up")

        async def test_group():
            async with asyncio.TaskGroup() as group:
                group.create_task(waits(), name="first")
                group.create_task(waits(), name="second")

        async def test_gather():
            await asyncio.gather(waits(), waits())

        async def test_child():
            await asyncio.create_task(waits(), name="child")

        async def test_spins():
            while True:
                await asyncio.sleep(0)

        async def test_after():
            await asyncio.sleep(0)
        """,
        FAST,
        taskleak=False,
        process=True,
    )
    assert done.counts == "6 failed, 1 passed"
    text = told(done, "test_lock")
    assert "waits for asyncio.Lock.acquire() `lock` at test_it.py:" in text.splitlines()[0]
    assert "held by   task 'holder', taken at test_it.py:" in text
    assert "due in " in text
    text = told(done, "test_circle")
    assert "never: nothing alive can wake it (proven)" in text
    assert "\ndeadlock\n" in text
    text = told(done, "test_group")
    assert "asyncio.TaskGroup.__aexit__() `group`" in text
    assert "task 'first' (waits) waits for asyncio.Event.wait()" in text
    for name in ("test_group", "test_gather", "test_child"):
        sections = dict(done.one(name, "call").sections)
        assert "child cleaned up" in sections["Captured stdout call"], name
        assert "never retrieved" not in str(sections)
    told(done, "test_gather")
    assert "task 'child' (waits) waits for" in told(done, "test_child")
    told(done, "test_spins")


def test_code_that_blocks_the_thread(suite: Suite) -> None:
    done = suite(
        """
        import queue
        import time

        def test_sleep():
            time.sleep(60)

        def test_join():
            stop = threading.Event()
            thread = threading.Thread(target=stop.wait, name="waits", daemon=True)
            thread.start()
            try:
                thread.join()
            finally:
                stop.set()

        def test_queue():
            queue.Queue().get()

        def test_spins():
            while True:
                pass

        def test_run():
            async def main():
                await asyncio.Event().wait()

            asyncio.run(main())

        async def test_blocks_its_loop():
            time.sleep(60)

        def test_other_loop():
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="looper", daemon=True)
            thread.start()
            try:
                asyncio.run_coroutine_threadsafe(forever(), loop).result()
            finally:
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
                loop.close()
        """
        + AFTER,
        FAST,
        taskleak=False,
        process=True,
    )
    assert done.counts == "7 failed, 1 passed"
    parts = {
        "test_sleep": "waits in time.sleep(60) at test_it.py:",
        "test_join": "waits in threading.Thread.join() of `thread` at test_it.py:",
        "test_queue": "waits in queue.Queue.get() at test_it.py:",
        "test_spins": "runs code of its own at test_it.py:",
        "test_run": "waits for asyncio.Event.wait() at test_it.py:",
        "test_blocks_its_loop": "waits in time.sleep(60) at test_it.py:",
        "test_other_loop": "Future.result()",
    }
    for name, part in parts.items():
        assert part in told(done, name).splitlines()[0], name
    assert "thread 'waits'" in told(done, "test_join")
    assert "tasks of thread 'looper' (1)" in told(done, "test_other_loop")


def test_fixtures_that_hang(suite: Suite) -> None:
    done = suite(
        """
        import time

        torn = []

        @pytest.fixture
        def first():
            yield
            torn.append("first")

        @pytest.fixture
        async def slow_setup(first):
            await asyncio.Event().wait()
            yield

        @pytest.fixture
        async def slow_teardown(first):
            yield
            await asyncio.Event().wait()

        @pytest.fixture(scope="module")
        def wide():
            time.sleep(60)

        def test_setup(slow_setup):
            pass

        def test_teardown(slow_teardown):
            pass

        def test_wide(wide):
            pass

        def test_wide_again(wide):
            pass

        def test_after(first):
            assert torn == ["first", "first"]
        """,
        FAST,
        taskleak=False,
        process=True,
    )
    assert done.counts == "2 passed, 4 errors", done.out
    assert "in fixture 'slow_setup' (scope function)" in told(done, "test_setup", "setup")
    text = told(done, "test_teardown", "teardown")
    assert "in fixture 'slow_teardown' (scope function)" in text
    assert "(slow_teardown) waits for asyncio.Event.wait()" in text
    assert "in fixture 'wide' (scope module)" in told(done, "test_wide", "setup")
    assert "TL903 test_wide hangs" in done.one("test_wide_again", "setup").text  # at once


def test_unittest(suite: Suite) -> None:
    done = suite(
        """
        import time
        import unittest

        class Async(unittest.IsolatedAsyncioTestCase):
            async def asyncTearDown(self):
                print("torn down")

            async def test_waits(self):
                await asyncio.Event().wait()

            async def test_z(self):
                pass

        class Sync(unittest.TestCase):
            def tearDown(self):
                print("torn down")

            def test_sleeps(self):
                time.sleep(60)

            def test_z(self):
                pass
        """,
        FAST,
        taskleak=False,
        process=True,
    )
    assert done.counts == "2 failed, 2 passed"
    for name in ("Async::test_waits", "Sync::test_sleeps"):
        told(done, name)
        assert "torn down" in dict(done.one(name, "call").sections)["Captured stdout call"]


@pytest.mark.parametrize("backend", ["asyncio", "trio", "uvloop"])
def test_anyio(suite: Suite, backend: str) -> None:
    pytest.importorskip("uvloop" if backend == "uvloop" else "trio")
    suite.plugins = ["anyio", "taskleak"]
    suite.ini.clear()
    value = ("asyncio", {"use_uvloop": True}) if backend == "uvloop" else backend
    done = suite(
        f"""
        import anyio

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return {value!r}

        @pytest.fixture
        async def resource(anyio_backend):
            yield
            print("torn down")

        async def test_waits(resource):
            await anyio.Event().wait()

        async def test_after(resource):
            await anyio.sleep(0)
        """,
        FAST,
        "-p",
        "no:asyncio",
        taskleak=False,
        process=True,
    )
    assert done.counts == "1 failed, 1 passed"
    assert "waits for anyio.Event.wait() at test_it.py:" in told(done, "test_waits").splitlines()[0]
    assert "torn down" in str(done.one("test_waits", "teardown").sections)


def test_trio(suite: Suite) -> None:
    pytest.importorskip("trio")
    done = suite(
        """
        import trio

        async def child():
            try:
                await trio.sleep_forever()
            finally:
                print("child cleaned up")

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)

        def test_nursery():
            trio.run(main)

        def test_after():
            trio.run(trio.sleep, 0)
        """,
        FAST,
        taskleak=False,
        process=True,
    )
    assert done.counts == "1 failed, 1 passed"
    text = told(done, "test_nursery")
    assert "tasks of trio in thread 'MainThread' (2)" in text
    assert "task test_it.child waits for trio.sleep_forever() at test_it.py:" in text
    assert "child cleaned up" in str(done.one("test_nursery", "call").sections)


def test_uvloop(suite: Suite) -> None:
    pytest.importorskip("uvloop")
    done = suite(
        """
        import uvloop

        async def waits():
            try:
                await asyncio.Event().wait()
            finally:
                print("cleaned up")

        def test_run():
            uvloop.run(waits())

        def test_bare():
            loop = uvloop.new_event_loop()
            try:
                loop.run_until_complete(waits())
            finally:
                loop.close()
        """
        + AFTER,
        FAST,
        taskleak=False,
        process=True,
    )
    assert done.counts == "2 failed, 1 passed"
    for name in ("test_run", "test_bare"):
        assert "(waits)" in told(done, name) or "waits for asyncio.Event.wait()" in told(done, name)
        assert "cleaned up" in str(done.one(name, "call").sections)


STUBBORN = """
    import os
    import signal
    import time

    async def test_swallows():
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except BaseException:
                pass

    def test_unstoppable():
        print("what it printed")
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        os.read(os.pipe()[0], 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals to be blocked")
def test_harsher_means(suite: Suite) -> None:
    """A cancellation that is swallowed is followed by an interruption; nothing helps: the process ends."""
    suite.write(STUBBORN, suite_hurry="import pytest_taskleak.hanging as h\nh.SHORTEST_BOUND = 0.3\n")
    done = suite.run("-p", "suite_hurry", FAST, taskleak=False, process=True)
    assert done.ret == 1
    assert done.one("test_swallows", "call").outcome == "failed"
    assert "TL903 test_unstoppable hangs in its call" in done.err
    assert "what it printed" in done.err
    last = done.err.strip().splitlines()[-1]
    assert last == (
        "taskleak: test_it.py::test_unstoppable could not be stopped in its call; "
        "the process ends with status 1"
    )


def test_worker_of_xdist(suite: Suite) -> None:
    suite.plugins.append("xdist")
    done = suite(
        """
        async def test_waits():
            await asyncio.Event().wait()
        """
        + AFTER,
        FAST,
        "-n1",
        process=True,
    )
    assert done.counts == "1 failed, 1 passed"
    assert "waits for asyncio.Event.wait()" in told(done, "test_waits")


def test_with_the_watch(suite: Suite) -> None:
    """What the test has left is a note below its timeout; the watchdog itself is no leak."""
    done = suite(
        """
        async def test_waits():
            asyncio.create_task(forever(), name="left")
            await asyncio.Event().wait()

        async def test_tidy():
            await asyncio.sleep(0)

        def test_leaks():
            threading.Thread(target=threading.Event().wait, name="thread", daemon=True).start()
        """,
        FAST,
        process=True,
    )
    assert [name.split()[1] for names in done.told().values() for name in names] == ["left", "thread"]
    assert "TL101  task 'left'" in done.one("test_waits", "call").section
    graphs = (done.one("test_waits", "call").taskleak or {})["graphs"]
    assert any("Event" in node["label"] for graph in graphs for node in graph["nodes"])


def test_time_that_passes_in_a_debugger_does_not_count(suite: Suite) -> None:
    done = suite(
        """
        import time

        def test_prompt(pytestconfig):
            pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
            time.sleep(0.6)

        def test_traced():
            import bdb

            class Quiet(bdb.Bdb):
                def user_line(self, frame):
                    self.set_continue()

            debugger = Quiet()
            debugger.set_break(__file__, test_next.__code__.co_firstlineno + 1)
            debugger.set_trace()
            try:
                time.sleep(0.6)
            finally:
                debugger.set_quit()

        def test_next():
            pass
        """,
        FAST,
        taskleak=False,
        process=True,
    )
    assert done.counts == "3 passed", done.out
    assert "TL903" not in done.err


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_pytest_timeout_keeps_the_word(suite: Suite, method: str) -> None:
    suite.plugins.append("timeout")
    done = suite(
        """
        @pytest.mark.timeout(0.4)
        async def test_waits():
            lock = asyncio.Lock()
            await lock.acquire()
            await lock.acquire()
        """
        + AFTER,
        f"--timeout-method={method}",
        process=True,
    )
    assert "TL903 test_waits hangs for more than 0.4 s: waits for asyncio.Lock.acquire()" in done.err
    if method == "signal":
        assert done.counts == "1 failed, 1 passed"
        report = done.one("test_waits", "call")
        assert "Timeout (>0.4s) from pytest-timeout." in report.text
        assert "TL903 test_waits hangs" in report.section
    else:
        assert done.ret == 1
        assert "+ Timeout +" in done.out


def test_timeouts_of_pytest_timeout_that_are_kept_leave_no_trace(suite: Suite) -> None:
    suite.plugins.append("timeout")
    done = suite(
        """
        import signal

        def test_quick():
            pass

        async def test_coroutine():
            await asyncio.sleep(0)
        """,
        "--timeout=30",
        FAST,
        process=True,
    )
    assert done.counts == "2 passed"
    assert done.told() == {}
    assert "TL903" not in done.err
