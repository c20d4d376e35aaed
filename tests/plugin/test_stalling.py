"""Is a test that can never end told and ended, though nobody has set a timeout, and no other one?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

SOON = """
import pytest_taskleak.stalling

pytest_taskleak.stalling.PERIOD = 0.2
"""
ALONE = ("-p", "no:rerunfailures", "-p", "no:timeout")
"""Plugins that have threads of their own."""


def run(suite: Suite, tests: str, *args: str) -> Done:
    """Run tests that may never end, in a process of their own."""
    suite.write(tests, conftest=SOON)
    return suite.run(*ALONE, *args, process=True)


def ended(done: Done, name: str, reason: str) -> str:
    """The text of a test that was ended because it never ends."""
    report = done.one(name, "call")
    assert report.outcome == "failed", done.out + done.err
    assert report.text.startswith(f"TL903 {name} can never end its call, {reason}"), report.text
    return report.text


def test_tasks_that_are_proven_stuck(suite: Suite) -> None:
    done = run(
        suite,
        """
        async def test_takes_it_twice():
            lock = asyncio.Lock()
            async with lock:
                async with lock:
                    pass

        async def test_cleans_up():
            try:
                await asyncio.Event().wait()
            finally:
                print("cleaned up")

        def test_runs_a_loop():
            async def main():
                await asyncio.Queue().get()
            asyncio.run(main())

        async def test_swallows():
            try:
                await asyncio.get_running_loop().create_future()
            except BaseException:
                pass

        def test_after():
            pass
        """,
    )
    text = ended(done, "test_takes_it_twice", "as is proven")
    assert "held by   this very task" in text
    assert "so it can never go on" in text
    ended(done, "test_cleans_up", "as is proven")
    assert ["Captured stdout call", "cleaned up\n"] in done.one("test_cleans_up", "call").sections
    assert "asyncio.Queue.get()" in ended(done, "test_runs_a_loop", "as is proven")
    ended(done, "test_swallows", "as is proven")
    assert done.one("test_after", "call").outcome == "passed"


def test_in_a_unittest_case(suite: Suite) -> None:
    done = run(
        suite,
        """
        import unittest

        class StuckTest(unittest.IsolatedAsyncioTestCase):
            async def test_waits(self):
                await asyncio.Event().wait()

            async def test_ends(self):
                await asyncio.sleep(0)
        """,
    )
    report = done.one("StuckTest::test_waits", "call")
    assert report.outcome == "failed"
    assert "can never end its call, as is proven" in report.text
    assert done.one("StuckTest::test_ends", "call").outcome == "passed"


@pytest.mark.skipif(sys.platform == "win32", reason="a wait in C is interrupted by a signal")
def test_threads_that_wait_for_each_other(suite: Suite) -> None:
    done = run(
        suite,
        """
        def test_takes_it_twice():
            lock = threading.Lock()
            with lock:
                with lock:
                    pass

        def test_circle():
            a, b = threading.Lock(), threading.Lock()
            held = threading.Event()

            def other():
                with b:
                    held.set()
                    with a:
                        pass

            with a:
                threading.Thread(target=other, daemon=True, name="other").start()
                held.wait()
                with b:
                    pass

        async def test_waits_for_its_own_loop():
            loop = asyncio.get_running_loop()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()

        def test_after():
            pass
        """,
    )
    ended(done, "test_takes_it_twice", "as the stacks of the threads show")
    ended(done, "test_waits_for_its_own_loop", "as the stacks of the threads show")
    assert "thread 'other'" in ended(done, "test_circle", "as the stacks of the threads show")
    assert done.one("test_after", "call").outcome == "passed"


@pytest.mark.skipif(sys.platform != "linux", reason="threads of C code are counted on Linux alone")
def test_the_last_thread_waits_for_what_nobody_can_do(suite: Suite) -> None:
    done = run(
        suite,
        """
        import queue

        def test_waits():
            queue.Queue().get()

        def test_after():
            pass
        """,
    )
    ended(done, "test_waits", "as nothing is left that could wake it")
    assert done.one("test_after", "call").outcome == "passed"


def test_what_may_still_end_is_left_alone(suite: Suite) -> None:
    """Each of these lasts for several looks, and ends by itself."""
    done = run(
        suite,
        """
        import queue
        import time

        async def test_sleeps():
            await asyncio.sleep(0.8)

        async def test_woken_by_a_timer():
            event = asyncio.Event()
            asyncio.get_running_loop().call_later(0.8, event.set)
            await event.wait()

        async def test_woken_by_a_timeout():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.8):
                    await asyncio.Event().wait()

        async def test_woken_by_a_thread():
            loop, event = asyncio.get_running_loop(), asyncio.Event()
            timer = threading.Timer(0.8, lambda: loop.call_soon_threadsafe(event.set))
            timer.start()
            await event.wait()
            timer.join()

        def test_busy():
            end = time.monotonic() + 0.8
            while time.monotonic() < end:
                pass

        def test_event_of_a_thread():
            event = threading.Event()
            timer = threading.Timer(0.8, event.set)
            timer.start()
            event.wait()
            timer.join()

        def test_a_lock_as_a_signal():
            lock = threading.Lock()
            lock.acquire()
            timer = threading.Timer(0.8, lock.release)
            timer.start()
            lock.acquire()
            timer.join()

        def test_locks_as_signals_of_two_threads():
            ready, go = threading.Lock(), threading.Lock()
            ready.acquire()
            go.acquire()

            def worker():
                ready.acquire()
                go.acquire()
                ready.release()

            thread = threading.Thread(target=worker)
            ready.release()
            thread.start()
            while not ready.locked():
                time.sleep(0.001)
            timer = threading.Timer(0.8, go.release)
            timer.start()
            ready.acquire()
            thread.join()
            timer.join()

        def test_with_a_timeout():
            with pytest.raises(queue.Empty):
                queue.Queue().get(timeout=0.8)
        """,
    )
    assert {report.outcome for report in done.reports} == {"passed"}, done.out
    assert "never end" not in done.out + done.err


def test_a_warning_only_tells(suite: Suite) -> None:
    done = run(
        suite,
        """
        import os

        async def test_waits():
            event = asyncio.Event()
            task = asyncio.create_task(event.wait(), name="waiter")
            await asyncio.wait([task])
        """,
        "--taskleak-mode=warn",
        "--taskleak-timeout=2",
    )
    assert "never ends: test_it.py::test_waits" in done.err
    assert done.one("test_waits", "call").text.startswith(
        "TL903 test_waits hangs in its call for more than 2 s"
    )


def test_forks_meet_no_thread(suite: Suite) -> None:
    """CPython warns of a fork beside other threads, and here warnings are errors."""
    done = run(
        suite,
        """
        import os

        @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
        def test_forks():
            for _ in range(20):
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)

        def test_counts_threads():
            assert threading.active_count() == 1
        """,
        "-W",
        "error",
    )
    assert {report.outcome for report in done.reports} <= {"passed", "skipped"}, done.out
