"""Executors: shut down or not, and which of their work still runs?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Ends all calls that wait for it."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A pool that was made outside of the lab."""
    with ThreadPoolExecutor(1, thread_name_prefix="outside") as made:
        yield made


def test_open_until_shut_down(lab: Lab) -> None:
    pool = ThreadPoolExecutor(1, thread_name_prefix="lab")
    assert lab.live() == [], "no worker was started yet"
    pool.submit(int).result()
    assert lab.live() == [pool]
    told = lab.detector("executor").describe(pool)
    assert (told.code, told.name, told.what) == ("TL303", "lab", "ThreadPoolExecutor")
    assert told.state == "was not shut down (1 worker, idle)"
    assert "with statement" in lab.detector("executor").advice(told)
    pool.shutdown()
    assert lab.live() == []


def test_busy_pool_owns_its_work(lab: Lab, stop: threading.Event) -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(stop.wait)
    pool.submit(int)
    detector = lab.detector("executor")
    assert detector.describe(pool).state == "was not shut down (1 worker, 2 calls unfinished)"
    assert len(list(detector.parts(pool))) == 2
    stop.set()
    pool.shutdown()


def test_work_in_a_pool_of_others(lab: Lab, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
    started = threading.Event()

    def block() -> None:
        started.set()
        stop.wait()

    future = pool.submit(block)
    queued = pool.submit(print)
    started.wait()
    assert lab.live() == [future, queued]
    detector = lab.detector("executor")
    told = detector.describe(future)
    assert told.code == "TL304"
    assert told.what.endswith("block")
    assert told.state.startswith("is still running in thread 'outside")
    assert told.waits_for == "threading.Event.wait()"
    assert detector.describe(queued).state == "is still waiting for a worker"
    detector.remove(queued)
    assert queued.cancelled()
    assert lab.live() == [future]
    stop.set()
    future.result()
    assert lab.live() == []


def test_default_executors_belong_to_their_loop(
    lab: Lab, loop: asyncio.AbstractEventLoop, stop: threading.Event
) -> None:
    loop.run_until_complete(loop.run_in_executor(None, int))
    assert lab.live() == []
    waiting = loop.run_in_executor(None, stop.wait)
    assert [lab.detector("executor").describe(x).code for x in lab.live("executor")] == ["TL304"]
    stop.set()
    loop.run_until_complete(waiting)
    assert lab.live() == []


def test_set_default_executor_hands_a_pool_over(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(int).result()
    assert lab.live() == [pool]
    loop.set_default_executor(pool)
    assert lab.live() == []


def test_remove_does_not_wait(lab: Lab, stop: threading.Event) -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(stop.wait)
    queued = pool.submit(print)
    detector = lab.detector("executor")
    assert detector.remove(pool) is False
    assert queued.cancelled()
    assert not detector.alive(pool)
    stop.set()
    pool.shutdown()


def test_process_pool(lab: Lab) -> None:
    with ProcessPoolExecutor(1) as pool:
        pool.submit(int).result()
        assert lab.live("executor") == [pool]
        assert lab.detector("executor").describe(pool).what == "ProcessPoolExecutor"
    assert lab.live("executor") == []


def test_subclasses(lab: Lab) -> None:
    class Own(ThreadPoolExecutor):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.extra = 1

    with Own(1) as pool:
        pool.submit(int).result()
        assert lab.live("executor") == [pool]
        assert lab.detector("executor").describe(pool).what.endswith("Own")


def test_cancelled_work_is_over(lab: Lab, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
    first = pool.submit(stop.wait)
    second = pool.submit(print)
    second.cancel()
    assert lab.live() == [first]
    stop.set()
    first.result()
