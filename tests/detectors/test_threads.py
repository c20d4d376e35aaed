"""Threads: whose, alive, told, and how far can they be removed?"""

from __future__ import annotations

import _thread
import asyncio
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Ends all threads that wait for it."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name.startswith("lab"):
            thread.join()


class Worker(threading.Thread):
    """Waits in its own `run`."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(name="lab-worker", daemon=True)
        self.stop = stop

    def run(self) -> None:
        self.stop.wait()


def test_alive_while_it_runs(lab: Lab, stop: threading.Event) -> None:
    thread = threading.Thread(target=stop.wait, name="lab")
    assert lab.live("thread") == []
    thread.start()
    assert lab.live("thread") == [thread]
    stop.set()
    thread.join()
    assert lab.live("thread") == []


@pytest.mark.parametrize("daemon", [True, False])
def test_describe(lab: Lab, stop: threading.Event, daemon: bool) -> None:
    def serve() -> None:
        started.set()
        stop.wait()

    started = threading.Event()
    thread = threading.Thread(target=serve, name="lab", daemon=daemon)
    thread.start()
    started.wait()
    told = lab.detector("thread").describe(thread)
    assert (told.code, told.name) == ("TL301", "lab")
    assert told.what.endswith("serve")
    assert told.state == f"({'daemon' if daemon else 'non-daemon'}) is still running"
    assert told.waits_for == "threading.Event.wait() of `stop`"
    assert any(f.qualname.endswith("serve") for f in told.waiting)
    assert "join()" in lab.detector("thread").advice(told)
    assert lab.detector("thread").remove(thread) is False


def test_subclasses(lab: Lab, stop: threading.Event) -> None:
    worker = Worker(stop)
    worker.start()
    told = lab.detector("thread").describe(worker)
    assert told.what == "Worker.run"
    assert told.module.endswith("test_threads")


def test_blocked_in_a_queue(lab: Lab) -> None:
    jobs: queue.Queue[Any] = queue.Queue()
    thread = threading.Thread(target=jobs.get, name="lab")
    thread.start()
    told = lab.detector("thread").describe(thread)
    jobs.put(None)
    thread.join()
    assert told.what == "Queue.get"
    assert told.waits_for in ("queue.Queue.get()", "")


def test_blocked_in_a_lock(lab: Lab) -> None:
    lock = threading.Lock()

    def work() -> None:
        with lock:
            pass

    with lock:
        thread = threading.Thread(target=work, name="lab")
        thread.start()
        for _ in range(5000):
            told = lab.detector("thread").describe(thread)
            if told.waits_for:
                break
            threading.Event().wait(0.001)
    thread.join()
    assert told.waits_for == "threading.Lock.acquire() of `lock`"


def test_timer_is_cancelled(lab: Lab) -> None:
    timer = threading.Timer(3600, print)
    timer.start()
    detector = lab.detector("thread")
    told = detector.describe(timer)
    assert (told.what, told.state) == ("print", "(threading.Timer) is still running")
    assert told.waits_for == "its interval of 3600 s"
    assert "cancel()" in detector.advice(told)
    assert detector.remove(timer) is True
    timer.join()
    assert lab.live("thread") == []


def test_raw_thread(lab: Lab) -> None:
    started, stop, ended = threading.Event(), threading.Event(), _thread.allocate_lock()
    ended.acquire()

    def serve(word: str) -> None:
        assert word == "now"
        started.set()
        stop.wait()
        ended.release()

    _thread.start_new_thread(serve, ("now",))
    started.wait()
    (raw,) = lab.live("thread")
    told = lab.detector("thread").describe(raw)
    assert told.code == "TL302"
    assert told.what.endswith("serve")
    assert lab.detector("thread").remove(raw) is False
    stop.set()
    ended.acquire()
    for _ in range(1000):
        if not lab.live("thread"):
            break
        lab.detector("thread").wait(raw, 0.001)
    assert lab.live("thread") == []


def test_raw_thread_errors_are_as_before(lab: Lab) -> None:
    with pytest.raises(TypeError):
        _thread.start_new_thread("no function", ())  # type: ignore[call-overload]
    assert lab.live("thread") == []


def test_thread_that_cannot_start(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> int:
        raise RuntimeError("can't start new thread")

    name = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else "_start_new_thread"
    monkeypatch.setattr(threading, name, refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        threading.Thread(target=print).start()
    assert lab.live("thread") == []


def test_starting_twice_fails_as_before(lab: Lab, stop: threading.Event) -> None:
    thread = threading.Thread(target=stop.wait, name="lab")
    thread.start()
    with pytest.raises(RuntimeError, match="once"):
        thread.start()
    assert lab.live("thread") == [thread]


def test_workers_of_executors_are_theirs(lab: Lab) -> None:
    with ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        assert lab.live("thread") == []
        assert lab.live("executor") == [pool]


def test_own_thread_does_not_count(lab: Lab) -> None:
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(lab.live("thread")), name="lab")
    thread.start()
    thread.join()
    assert seen == [[]]


def test_children_of_threads_are_seen(lab: Lab, stop: threading.Event) -> None:
    def outer() -> None:
        threading.Thread(target=stop.wait, name="lab-inner", daemon=True).start()

    thread = threading.Thread(target=outer, name="lab-outer")
    thread.start()
    thread.join()
    assert [t.name for t in lab.live("thread")] == ["lab-inner"]


def test_tasks_of_loops_in_threads_are_seen(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def main() -> None:
        made = asyncio.create_task(asyncio.sleep(3600), name="left")
        ready.set()
        try:
            await asyncio.wait_for(gate.wait(), 30)
        finally:
            made.cancel()

    gate = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), name="lab")
    thread.start()
    ready.wait()
    assert "left" in [t.get_name() for t in lab.live("task")]
    loop.call_soon_threadsafe(gate.set)
    thread.join()
    loop.close()
