"""What does everything wait for right now: on a signal, and for one task?"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

needs_signal = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal here")


@needs_signal
@pytest.mark.parametrize("mode", ["plain", "watched", "worker"])
def test_signal_prints_and_lets_the_session_go_on(suite: Suite, mode: str) -> None:
    suite.plugins.append("xdist")
    done = suite(
        """
        import os
        import signal

        async def poll(stop):
            await stop.wait()

        async def test_asks():
            stop = asyncio.Event()
            task = asyncio.create_task(poll(stop), name="poller")
            await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0)
            stop.set()
            await task

        def work():
            os.kill(os.getpid(), signal.SIGUSR1)
            for _ in range(100):
                pass

        def test_asks_again():
            work()
        """,
        "--taskleak-signal=USR1",
        *(["-n1"] if mode == "worker" else []),
        taskleak=mode == "watched",
        process=True,
    )
    assert done.counts == "2 passed", done.out
    first, _, second = done.err.partition("during test_it.py::test_asks_again, everything stands here:\n")
    assert "= taskleak: SIGUSR1 =" in first
    assert "during test_it.py::test_asks, everything stands here:\n" in first
    assert "task 'poller' (poll) waits for asyncio.Event.wait() `stop` at test_it.py:" in first
    assert "\n    at test_it.py:" in second
    assert "  work\n" in second
    assert "  test_asks_again" in second


@needs_signal
def test_handler_is_put_back(suite: Suite) -> None:
    before = signal.getsignal(signal.SIGUSR2)
    mine = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        done = suite(
            """
            import signal

            def test_a():
                assert signal.getsignal(signal.SIGUSR2) not in (signal.SIG_DFL, signal.SIG_IGN)
            """,
            "--taskleak-signal=sigusr2",
            taskleak=False,
        )
        assert done.counts == "1 passed"
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR2, mine)
    assert signal.getsignal(signal.SIGUSR2) is before


def test_fixture_explains_a_task(suite: Suite) -> None:
    done = suite(
        """
        import pytest_taskleak

        async def holds(lock, gate):
            async with lock:
                await gate.wait()

        async def wants(lock):
            async with lock:
                pass

        async def test_explains(taskleak):
            lock, gate = asyncio.Lock(), asyncio.Event()
            holder = asyncio.create_task(holds(lock, gate), name="holder")
            waiter = asyncio.create_task(wants(lock), name="waiter")
            await asyncio.sleep(0)
            text = taskleak.explain(waiter)
            first = text.splitlines()[0]
            assert first.startswith("task 'waiter' (wants) waits for asyncio.Lock.acquire() `lock` at test_it.py:")
            assert "held by   task 'holder', taken at test_it.py:" in text
            assert "ends " in text
            assert pytest_taskleak.explain_task(waiter).splitlines()[0].startswith("task 'waiter' (wants)")
            gate.set()
            await asyncio.gather(holder, waiter)
            assert taskleak.explain(waiter) == "task 'waiter' is done"
            with pytest.raises(TypeError, match="explain takes a task of asyncio, got an object of int"):
                taskleak.explain(1)
        """
    )
    assert done.counts == "1 passed", done.out
