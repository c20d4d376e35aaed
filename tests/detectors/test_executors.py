"""Executors: shut down or not, and which of their work still runs?"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

FORK: Any = multiprocessing.get_context("fork") if os.name == "posix" else None
forks = pytest.mark.skipif(FORK is None, reason="needs fork")
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def wait_long() -> None:
    time.sleep(61)


def ignore_signals(begun: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    begun.set()


@pytest.fixture
def process_pool() -> Iterator[ProcessPoolExecutor]:
    """A pool with processes that was made outside of the lab."""
    made = ProcessPoolExecutor(1, mp_context=FORK)
    yield made
    for worker in list(made._processes.values()):
        worker.kill()
    made.shutdown()


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
    blocked = pool.submit(stop.wait)
    pool.submit(int)
    while not blocked.running():
        pass
    detector = lab.detector("executor")
    told = detector.describe(pool)
    assert told.state == "was not shut down (1 worker, busy with threading.Event.wait and 1 more call)"
    assert told.waits_for == "threading.Event.wait()"
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


@forks
def test_process_pool(lab: Lab) -> None:
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        pool.submit(int).result()
        assert lab.live() == [pool], "workers and threads are told by their pool"
        told = lab.detector("executor").describe(pool)
        assert (told.what, told.state) == ("ProcessPoolExecutor", "was not shut down (1 worker, idle)")
    assert lab.live() == []


@forks
def test_busy_process_pool(lab: Lab) -> None:
    pool = ProcessPoolExecutor(1, mp_context=FORK)
    first = pool.submit(time.sleep, 60)
    second = pool.submit(wait_long)
    workers = list(pool._processes.values())
    detector = lab.detector("executor")
    told = detector.describe(pool)
    assert told.state == "was not shut down (1 worker, busy with time.sleep and 1 more call)"
    assert set(detector.parts(pool)) == {first, second}
    assert detector.describe(second).what == "wait_long"
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL303"]
    assert [ended(worker) for worker in workers] == [True]
    assert lab.watch.tainted() == []


@forks
def test_workers_that_ignore_signals_are_killed(lab: Lab) -> None:
    begun = FORK.Event()
    pool = ProcessPoolExecutor(1, mp_context=FORK, initializer=ignore_signals, initargs=(begun,))
    pool.submit(wait_long)
    begun.wait()
    (worker,) = pool._processes.values()
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL303"]
    assert ended(worker)
    assert lab.watch.tainted() == []


@forks
def test_call_in_a_process_pool_of_others(lab: Lab, process_pool: ProcessPoolExecutor) -> None:
    future = process_pool.submit(time.sleep, 60)
    assert [x for x in lab.live() if x is not future] == []
    told = lab.detector("executor").describe(future)
    assert (told.code, told.name) == ("TL304", "sleep")
    assert all(x is not future for x in lab.detector("executor").keeper(future)), "the pool holds it"


@forks
@pytest.mark.parametrize("threads", [False, True])
def test_pools_of_multiprocessing(lab: Lab, threads: bool) -> None:
    with ThreadPool(2) if threads else FORK.Pool(2) as pool:
        assert pool.map(len, ["abc", "d"]) == [3, 1]
        assert lab.live() == [pool], "workers and handlers are told by their pool"
        detector = lab.detector("executor")
        told = detector.describe(pool)
        assert (told.code, told.what) == ("TL303", "ThreadPool" if threads else "Pool")
        assert told.state == "was not closed (2 workers, idle)"
        assert "join()" in detector.advice(told)
    assert lab.live() == []


def test_busy_thread_pool(lab: Lab, stop: threading.Event) -> None:
    pool = ThreadPool(2)
    results = [pool.apply_async(stop.wait), pool.map_async(stop.wait, [None])]
    detector = lab.detector("executor")
    while "more" not in detector.describe(pool).state:
        pass
    told = detector.describe(pool)
    assert told.state == "was not closed (2 workers, busy with threading.Event.wait and 1 more call)"
    assert told.waits_for == "threading.Event.wait()"
    pool.close()
    assert detector.describe(pool).state.startswith("was closed, not joined (2 workers, busy")
    assert lab.live() == [pool]
    assert detector.remove(pool) is True
    assert not detector.alive(pool)
    stop.set()
    assert len(results) == 2


@forks
def test_busy_pool_is_terminated(lab: Lab) -> None:
    pool = FORK.Pool(2)
    pool.apply_async(wait_long)
    workers = list(pool._pool)
    assert "busy with" in lab.detector("executor").describe(pool).state
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL303"]
    assert [ended(worker) for worker in workers] == [True, True]


def ended(worker: Any) -> bool:
    """Tell whether a worker that was told to end does so, however busy the machine is.

    The thread that terminates a pool may reap it first: only when that has ended does the object know.
    """
    for thread in threading.enumerate():
        if thread.name == "taskleak-terminate" or type(thread).__name__ == "_ExecutorManagerThread":
            thread.join(10)
    worker.join(10)
    return not worker.is_alive()


@forks
def test_pool_whose_workers_ignore_signals(lab: Lab) -> None:
    begun = FORK.Event()
    pool = FORK.Pool(1, ignore_signals, (begun,))
    pool.apply_async(wait_long)
    begun.wait()
    (worker,) = pool._pool
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL303"]
    assert ended(worker)


@forks
def test_workers_left_by_a_pool_that_was_shut_down(lab: Lab) -> None:
    pool = ProcessPoolExecutor(1, mp_context=FORK)
    future = pool.submit(time.sleep, 60)
    while not future.running():
        pass
    assert lab.live("process") == []
    pool.shutdown(wait=False)
    (child,) = lab.live("process")
    assert child.what == "_process_worker"
    lab.watch.close(lab.scope)
    assert lab.live("process") == []


@forks
def test_pool_that_nobody_has_seen_being_made(lab: Lab) -> None:
    """Its workers are no processes of whoever lets it start them."""
    pool = object.__new__(ProcessPoolExecutor)
    init = inspect.unwrap(ProcessPoolExecutor.__init__)
    init(pool, 1, mp_context=FORK)
    try:
        assert pool.submit(int).result() == 0
        assert lab.live("process") == []
    finally:
        pool.shutdown()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="new in 3.14")
def test_interpreter_pool(lab: Lab) -> None:
    with concurrent.futures.InterpreterPoolExecutor(1) as pool:  # type: ignore[attr-defined,unused-ignore]
        pool.submit(int).result()
        assert lab.live() == [pool]
        told = lab.detector("executor").describe(pool)
        assert told.what == "InterpreterPoolExecutor"
        assert told.state == "was not shut down (1 worker, idle)"
    assert lab.live() == []


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
