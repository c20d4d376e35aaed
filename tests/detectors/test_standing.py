"""Standing threads: what each kind of wait is called, on which object, and who could end it."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import gc
import io
import json
import logging
import multiprocessing.pool
import queue
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import pytest

from pytest_taskleak.adapt import standing
from pytest_taskleak.adapt.code import line_of
from pytest_taskleak.adapt.os_threads import os_state
from pytest_taskleak.adapt.standing import Standing, all_standing, standing_of, waits_for
from pytest_taskleak.explain.threads import cycles, self_blocked

TURNS = 5000


def until(ready: Callable[[], Any]) -> Any:
    """Return what `ready` gives as soon as it gives something."""
    for _ in range(TURNS):
        if found := ready():
            return found
        threading.Event().wait(0.001)
    raise AssertionError("it never came to that")


def at(mark: str) -> int:
    """Return the line of this file that ends with a mark."""
    with open(__file__, encoding="utf-8") as file:
        return next(n for n, line in enumerate(file, 1) if line.rstrip().endswith(f"  # {mark}"))


class Crew:
    """Threads that are told to end, and joined, when the test is over."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.ends: list[Callable[[], object]] = []

    def start(self, target: Callable[..., object], *args: Any, name: str = "crew") -> threading.Thread:
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def stands(
        self, thread: threading.Thread, kind: str, ready: Callable[[Standing], object] = lambda s: True
    ) -> Standing:
        def look() -> Standing | None:
            assert thread.ident is not None
            found = standing_of(thread.ident)
            return found if found is not None and found.kind == kind and ready(found) else None

        found = until(look)
        assert isinstance(found, Standing)
        return found

    def close(self) -> None:
        for end in self.ends:
            end()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew()
    try:
        yield made
    finally:
        made.close()


def qualnames(found: Standing) -> list[str]:
    return [code.co_qualname.rpartition(".")[2] for code, _ in found.frames]


# --- each kind of wait --------------------------------------------------------------------------


class Service:
    """Holds one primitive of each sort."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rlock = threading.RLock()
        self.ready = threading.Event()
        self.changed = threading.Condition()
        self.permits = threading.Semaphore(0)
        self.meeting = threading.Barrier(2)
        self.jobs: queue.Queue[Any] = queue.Queue()
        self.full: queue.Queue[Any] = queue.Queue(1)
        self.simple: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.__secret = threading.Lock()
        self.result: Future[int] = Future()
        self.places = {"a": [threading.Event()]}
        self.full.put(1)
        self.lock.acquire()
        self.__secret.acquire()

    def with_lock(self) -> None:
        with self.lock:
            self.lock.release()
            self.lock.acquire()

    def acquire(self) -> None:
        self.lock.acquire()
        self.lock.release()

    def secret(self) -> None:
        with self.__secret:
            pass

    def reveal(self) -> None:
        self.__secret.release()

    def event(self) -> None:
        self.ready.wait()

    def condition(self) -> None:
        with self.changed:
            self.changed.wait()

    def condition_for(self) -> None:
        with self.changed:
            self.changed.wait_for(self.ready.is_set)

    def notify(self) -> None:
        self.ready.set()
        with self.changed:
            self.changed.notify_all()

    def semaphore(self) -> None:
        with self.permits:
            pass

    def barrier(self) -> None:
        self.meeting.wait()

    def get(self) -> None:
        self.jobs.get()

    def put(self) -> None:
        self.full.put(2)

    def join_queue(self) -> None:
        self.full.join()

    def get_simple(self) -> None:
        self.simple.get()

    def future(self) -> None:
        self.result.result()

    def place(self) -> None:
        key = "a"
        self.places[key][0].wait()


def done(jobs: queue.Queue[Any]) -> None:
    jobs.get_nowait()
    jobs.task_done()


Case = tuple[str, str, str, str, str, Callable[[Service], object]]
CASES: list[Case] = [
    ("with_lock", "lock", "threading.Lock.acquire()", "self.lock", "no thread's code shows who holds it",
     lambda s: s.lock.release()),
    ("acquire", "lock", "threading.Lock.acquire()", "self.lock", "no thread's code shows who holds it",
     lambda s: s.lock.release()),
    ("secret", "lock", "threading.Lock.acquire()", "self.__secret", "no thread's code shows who holds it",
     Service.reveal),
    ("event", "event", "threading.Event.wait()", "self.ready", "", lambda s: s.ready.set()),
    ("place", "event", "threading.Event.wait()", "self.places[key][0]", "",
     lambda s: s.places["a"][0].set()),
    ("condition", "condition", "threading.Condition.wait()", "self.changed", "", Service.notify),
    ("condition_for", "condition", "threading.Condition.wait_for()", "self.changed", "", Service.notify),
    ("semaphore", "semaphore", "threading.Semaphore.acquire()", "self.permits", "",
     lambda s: s.permits.release()),
    ("barrier", "barrier", "threading.Barrier.wait()", "self.meeting", "1 of 2 arrived",
     lambda s: s.meeting.wait()),
    ("get", "queue", "queue.Queue.get()", "self.jobs", "empty", lambda s: s.jobs.put(1)),
    ("put", "queue", "queue.Queue.put()", "self.full", "1 items of at most 1, 1 unfinished",
     lambda s: done(s.full)),
    ("join_queue", "queue", "queue.Queue.join()", "self.full", "1 items of at most 1, 1 unfinished",
     lambda s: done(s.full)),
    ("get_simple", "queue", "queue.SimpleQueue.get()", "self.simple", "0 items", lambda s: s.simple.put(1)),
    ("future", "future", "concurrent.futures.Future.result()", "self.result", "",
     lambda s: s.result.set_result(1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "kind", "what", "name", "detail", "end"), CASES, ids=[c[0] for c in CASES]
)
def test_kinds(
    crew: Crew, method: str, kind: str, what: str, name: str, detail: str, end: Callable[[Service], object]
) -> None:
    service = Service()
    crew.ends.append(lambda: end(service))
    thread = crew.start(getattr(service, method))
    found = crew.stands(thread, kind, lambda s: s.detail == detail)
    assert (found.what, found.name, found.detail) == (what, name, detail)
    assert found.thing is not None
    assert found.holder is None
    assert not found.timed
    assert qualnames(found) == [method]
    assert waits_for(thread.ident) == f"{what} of `{name}`"


def test_sleep(crew: Crew) -> None:
    def nap() -> None:
        seconds = 0.3
        time.sleep(seconds)

    found = crew.stands(crew.start(nap), "sleep")
    assert (found.what, found.timed, qualnames(found)) == ("time.sleep(0.3)", True, ["nap"])


def test_timer(crew: Crew) -> None:
    timer = threading.Timer(3600, print)
    timer.daemon = True
    crew.threads.append(timer)
    crew.ends.append(timer.cancel)
    timer.start()
    found = crew.stands(timer, "sleep")
    assert (found.thing, found.detail, found.timed) == (timer, "its interval of 3600 s", True)


@pytest.mark.parametrize("how", ["recv", "accept"])
def test_socket(crew: Crew, how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        other, _ = server.accept()

        def receive() -> None:
            client.recv(1)

        def accept() -> None:
            server.accept()[0].close()

        def end() -> None:
            with other, socket.socket() as second:
                other.send(b"x")
                second.connect(server.getsockname())

        here, there = (f"127.0.0.1:{s.getsockname()[1]}" for s in (client, server))
        thread = crew.start(receive if how == "recv" else accept)
        try:
            found = crew.stands(thread, "socket")
            assert found.name == ("client" if how == "recv" else "server")
            assert found.what == ("socket.recv()" if how == "recv" else "socket.socket.accept()")
            assert found.detail == (f"{here} -> {there}" if how == "recv" else f"listens on {there}")
        finally:
            end()
            thread.join()


def test_selector_of_the_system(crew: Crew) -> None:
    import select

    one, two = socket.socketpair()
    with one, two:

        def poll() -> None:
            select.select([one], [], [])

        thread = crew.start(poll)
        try:
            assert crew.stands(thread, "socket").what == "select.select()"
        finally:
            two.send(b"x")
            thread.join()


def test_process(crew: Crew) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    def reap() -> None:
        child.wait()

    thread = crew.start(reap)
    try:
        found = crew.stands(thread, "process")
        assert (found.what, found.name) == ("subprocess.Popen.wait()", "child")
        assert (found.thing, found.detail) == (child, f"pid {child.pid}")
    finally:
        child.communicate(b"\n")
        thread.join()


def test_join_names_the_thread(crew: Crew) -> None:
    gate = threading.Event()
    crew.ends.append(gate.set)
    other = crew.start(gate.wait, name="other")

    def wait() -> None:
        other.join()

    found = crew.stands(crew.start(wait), "join")
    assert (found.what, found.name, found.detail) == ("threading.Thread.join()", "other", "thread 'other'")
    assert (found.holder, found.thing) == (other.ident, other)


def test_a_builtin_as_target(crew: Crew) -> None:
    lock = threading.Lock()
    lock.acquire()
    crew.ends.append(lock.release)
    found = crew.stands(crew.start(lock.acquire), "lock")
    assert (found.what, found.name, found.thing) == ("threading.Lock.acquire()", "", lock)
    assert "run" in qualnames(found)


def test_timeouts_are_told(crew: Crew) -> None:
    service, jobs = Service(), queue.SimpleQueue[int]()
    waits: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("event", lambda: service.ready.wait(3600), service.ready.set),
        ("lock", lambda: service.lock.acquire(timeout=3600), service.lock.release),
        ("lock", lambda: service.lock.acquire(True, 3600), service.lock.release),
        ("queue", lambda: jobs.get(timeout=3600), lambda: jobs.put(1)),
        ("future", lambda: service.result.result(3600), lambda: service.result.set_result(1)),
    ]
    for kind, wait, end in waits:
        thread = crew.start(wait)
        try:
            assert crew.stands(thread, kind).timed
        finally:
            end()
            thread.join()
    thread = crew.start(lambda: service.lock.acquire(timeout=-1))
    service.lock.release() if not service.lock.locked() else None
    assert not crew.stands(thread, "lock").timed
    service.lock.release()


def test_lock_inside_the_library(crew: Crew) -> None:
    log = logging.Logger("lab")  # noqa: LOG001 -- one that nobody else can get
    stream = logging.StreamHandler(io.StringIO())
    log.addHandler(stream)
    ready, go = threading.Event(), threading.Event()

    def hold() -> None:
        with stream.lock:  # type: ignore[union-attr]
            ready.set()
            go.wait()

    crew.ends.append(go.set)
    keeper = crew.start(hold, name="keeper")
    ready.wait()

    def tell() -> None:
        log.log(50, "never seen")

    found = crew.stands(crew.start(tell), "rlock")
    assert found.what == "threading.RLock.acquire()"
    assert found.holder == keeper.ident
    assert found.detail.endswith("inside logging.Logger.log()")
    log.removeHandler(stream)


# --- executors and loops ------------------------------------------------------------------------


def test_idle_workers(crew: Crew) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        (worker,) = pool._threads
        found = crew.stands(worker, "idle-worker")
        assert found.thing is pool
    with multiprocessing.pool.ThreadPool(1) as threads:
        threads.apply(int)
        kinds = until(lambda: _pool_kinds(threads))
        assert kinds == {"idle-worker"}
    threads.join()


def _pool_kinds(pool: Any) -> set[str] | None:
    found = {s.kind for t in pool._pool if (s := standing_of(t.ident)) is not None}
    return found if found == {"idle-worker"} else None


def test_future_of_a_busy_worker(crew: Crew) -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(1, "pool") as pool:
        try:
            future, queued = pool.submit(gate.wait), pool.submit(int)

            def first() -> None:
                future.result()

            def second() -> None:
                queued.result()

            (worker,) = pool._threads
            one = crew.stands(crew.start(first), "future", lambda s: s.holder)
            two = crew.stands(crew.start(second), "future", lambda s: s.among)
            assert (one.holder, one.detail) == (worker.ident, "thread 'pool_0' works on it")
            assert (two.holder, two.among) == (worker.ident, (worker.ident,))
            assert two.detail == "not begun: the thread of the pool is busy"
            assert crew.stands(worker, "event").what == "threading.Event.wait()"
        finally:
            gate.set()


def test_pool_that_waits_for_itself(crew: Crew) -> None:
    """The only worker waits for what only it could do."""
    pool = ThreadPoolExecutor(1)
    inner: list[Future[int]] = []

    def outer() -> None:
        inner.append(pool.submit(int))
        with contextlib.suppress(CancelledError):
            inner[0].result()

    work = pool.submit(outer)
    try:
        (worker,) = pool._threads
        found = crew.stands(worker, "future", lambda s: s.among)
        assert (found.holder, found.name) == (worker.ident, "inner[0]")
        assert cycles(all_standing()) == [[worker.ident]]
    finally:
        until(lambda: inner)[0].cancel()
        work.result()
        pool.shutdown()


def loops() -> list[Any]:
    found: list[Any] = [asyncio.new_event_loop]
    with contextlib.suppress(ImportError):
        import uvloop

        found.append(uvloop.new_event_loop)
    return found


@pytest.mark.parametrize("new_loop", loops())
def test_idle_loop(crew: Crew, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    loop = new_loop()

    def turn() -> None:
        loop.run_forever()
        loop.close()

    crew.ends.append(lambda: loop.call_soon_threadsafe(loop.stop))
    found = crew.stands(crew.start(turn), "loop")
    assert found.thing is loop
    assert found.what.endswith("run_forever()")
    assert found.name == "loop"


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("new_loop", loops())
def test_loop_that_waits_for_itself(
    crew: Crew, new_loop: Callable[[], asyncio.AbstractEventLoop], begun: bool
) -> None:
    loop = new_loop()
    handed: list[Any] = []

    async def inner() -> int:
        await asyncio.Event().wait()
        return 1

    async def main() -> None:
        handed.append(asyncio.run_coroutine_threadsafe(inner(), loop))
        if begun:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        with contextlib.suppress(CancelledError):
            handed[0].result()  # waits for its own loop
        handed.append(None)

    def turn() -> None:
        loop.run_until_complete(main())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = crew.start(turn, name="looper")
    try:
        found = crew.stands(thread, "future", lambda s: s.calls_loop)
        assert found.calls_loop is loop
        assert found.holder == thread.ident
        assert line_of(*found.frames[-1]) == at("waits for its own loop")
        started = "task 'Task-" if begun else "a coroutine that has not begun"
        assert found.detail.startswith(started)
        assert found.detail.endswith("on the loop of thread 'looper'")
        seen = all_standing()
        assert cycles(seen) == [[thread.ident]]
        assert self_blocked(seen) == [thread.ident]
    finally:
        until(lambda: handed)[0].cancel()
        thread.join()


def test_call_into_another_loop(crew: Crew) -> None:
    loop = asyncio.new_event_loop()
    gate = asyncio.Event()

    def turn() -> None:
        loop.run_forever()
        loop.close()

    def call() -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

    looper = crew.start(turn, name="looper")
    caller = crew.start(call)
    try:
        found = crew.stands(caller, "future", lambda s: s.detail.startswith("task"))
        assert (found.calls_loop, found.holder) == (loop, looper.ident)
        assert self_blocked(all_standing()) == []
        assert cycles(all_standing()) == []
    finally:
        loop.call_soon_threadsafe(gate.set)
        caller.join()
        loop.call_soon_threadsafe(loop.stop)


# --- holders ------------------------------------------------------------------------------------


class Bank:
    """Two locks, taken in either order."""

    def __init__(self) -> None:
        self.a, self.b = threading.Lock(), threading.Lock()
        self.met = threading.Barrier(2)

    def one(self) -> None:
        with contextlib.suppress(RuntimeError), self.a:  # one takes a
            self.met.wait()
            with self.b:  # one wants b
                pass

    def two(self) -> None:
        with contextlib.suppress(RuntimeError), self.b:  # two takes b
            self.met.wait()
            self.a.acquire()  # two wants a
            self.a.release()


def test_lock_inversion(crew: Crew) -> None:
    bank = Bank()
    one, two = crew.start(bank.one, name="one"), crew.start(bank.two, name="two")
    try:
        first = crew.stands(one, "lock", lambda s: s.holder)
        second = crew.stands(two, "lock", lambda s: s.holder)
        assert (first.name, first.holder) == ("self.b", two.ident)
        assert (second.name, second.holder) == ("self.a", one.ident)
        assert first.held_at is not None
        assert second.held_at is not None
        assert (line_of(*first.held_at), line_of(*second.held_at)) == (at("two takes b"), at("one takes a"))
        assert line_of(*first.frames[-1]) == at("one wants b")
        assert line_of(*second.frames[-1]) == at("two wants a")
        line = at("two takes b")
        assert first.detail == f"held by thread 'two' (with `self.b` at test_standing.py:{line})"
        assert sorted(map(sorted, cycles(all_standing()))) == [sorted([one.ident or 0, two.ident or 0])]
    finally:
        bank.a.release()  # by hand: only so can it end
        two.join()
        one.join()


def test_owner_of_a_reentrant_lock(crew: Crew) -> None:
    lock, ready, go = threading.RLock(), threading.Event(), threading.Event()
    crew.ends.append(go.set)

    def hold() -> None:
        with lock, lock:  # holds it twice
            ready.set()
            go.wait()

    def want() -> None:
        with lock:
            pass

    keeper = crew.start(hold, name="keeper")
    ready.wait()
    found = crew.stands(crew.start(want), "rlock", lambda s: s.holder)
    assert found.holder == keeper.ident
    line = at("holds it twice")
    assert found.detail == f"owner: thread 'keeper', 2 times (with `lock` at test_standing.py:{line})"


def test_condition_entered_elsewhere(crew: Crew) -> None:
    changed, ready, go = threading.Condition(), threading.Event(), threading.Event()
    crew.ends.append(go.set)

    def hold() -> None:
        with changed:
            ready.set()
            go.wait()

    def want() -> None:
        with changed:
            pass

    keeper = crew.start(hold, name="keeper")
    ready.wait()
    found = crew.stands(crew.start(want), "rlock", lambda s: s.holder)
    assert (found.holder, found.name) == (keeper.ident, "changed")
    assert found.detail.startswith("owner: thread 'keeper' (with `changed` at")


def test_notified_but_the_lock_is_taken(crew: Crew) -> None:
    changed, waiting, go = threading.Condition(threading.Lock()), threading.Event(), threading.Event()
    crew.ends.append(go.set)

    def wait() -> None:
        with changed:
            waiting.set()
            changed.wait()

    def notify() -> None:
        with changed:
            changed.notify()
            go.wait()

    waiter = crew.start(wait)
    waiting.wait()
    crew.stands(waiter, "condition")
    notifier = crew.start(notify, name="notifier")
    found = crew.stands(waiter, "lock", lambda s: s.holder)
    assert found.holder == notifier.ident
    assert found.what == "threading.Condition.wait()"


def test_held_by_acquire(crew: Crew) -> None:
    lock, ready, go = threading.Lock(), threading.Event(), threading.Event()
    crew.ends.append(go.set)

    def hold() -> None:
        lock.acquire()  # takes it by hand
        try:
            ready.set()
            go.wait()
        finally:
            lock.release()

    def held_before() -> None:
        with contextlib.suppress(RuntimeError):
            lock.acquire(blocking=False)
        go.wait()

    keeper = crew.start(hold, name="keeper")
    ready.wait()
    crew.start(held_before, name="innocent")

    def want() -> None:
        lock.acquire()
        lock.release()
        go.wait()

    found = crew.stands(crew.start(want), "lock", lambda s: s.holder)
    assert found.holder == keeper.ident
    line = at("takes it by hand")
    assert found.detail == f"held by thread 'keeper' (`lock`.acquire() at test_standing.py:{line})"


def test_lock_taken_twice(crew: Crew) -> None:
    lock = threading.Lock()

    def twice() -> None:
        with contextlib.suppress(RuntimeError), lock:  # first time
            lock.acquire()
            lock.release()

    thread = crew.start(twice)
    try:
        found = crew.stands(thread, "lock", lambda s: s.holder)
        assert found.holder == thread.ident
        assert (
            found.detail == f"held by this very thread (with `lock` at test_standing.py:{at('first time')})"
        )
        assert cycles(all_standing()) == [[thread.ident]]
    finally:
        lock.release()
        thread.join()


def test_semaphore_whose_permits_are_out(crew: Crew) -> None:
    permits, go = threading.BoundedSemaphore(2), threading.Event()
    ready = threading.Barrier(3)
    crew.ends.append(go.set)

    def hold() -> None:
        with permits:
            ready.wait()
            go.wait()

    def want() -> None:
        with permits:
            pass

    keepers = [crew.start(hold, name=f"keeper-{n}") for n in (1, 2)]
    ready.wait()
    found = crew.stands(crew.start(want), "semaphore", lambda s: s.among)
    assert set(found.among) == {thread.ident for thread in keepers}
    assert found.holder is None
    assert "thread 'keeper-1' (with `permits` at test_standing.py:" in found.detail


def test_a_rebound_name_is_no_holder(crew: Crew) -> None:
    lock, other = threading.Lock(), threading.Lock()
    ready, go = threading.Event(), threading.Event()
    assert lock.acquire(blocking=False)
    crew.ends += [go.set, lock.release]

    def hold(which: Any) -> None:
        with which:
            which = lock
            ready.set()
            go.wait()

    def want() -> None:
        with lock:
            pass

    crew.start(hold, other)
    ready.wait()
    found = crew.stands(crew.start(want), "lock")
    assert (found.holder, found.detail) == (None, "no thread's code shows who holds it")


def test_join_cycle(crew: Crew) -> None:
    """`one` holds a lock and joins `two`, which waits for the lock."""
    lock, taken = threading.Lock(), threading.Event()

    def wait() -> None:
        taken.wait()
        with lock:
            pass

    def join() -> None:
        with contextlib.suppress(RuntimeError), lock:
            taken.set()
            other.join()

    other = crew.start(wait, name="two")
    one = crew.start(join, name="one")
    try:
        assert crew.stands(other, "lock", lambda s: s.holder).holder == one.ident
        assert crew.stands(one, "join").holder == other.ident
        assert cycles(all_standing()) == [[other.ident, one.ident]]
    finally:
        lock.release()  # by hand: only so can it end
        one.join()


# --- running, odd, and gone ---------------------------------------------------------------------


def test_busy(crew: Crew) -> None:
    go: list[int] = []

    def spin() -> None:
        while not go:
            len(go)

    crew.ends.append(lambda: go.append(1))
    thread = crew.start(spin)
    found = crew.stands(thread, "running", lambda s: "spin" in qualnames(s))
    assert (found.what, found.name, found.thing, found.holder) == ("", "", None, None)
    assert waits_for(thread.ident) == ""


def test_busy_in_the_library(crew: Crew) -> None:
    go: list[int] = []

    def encode() -> None:
        while not go:
            json.dumps([{"a": [1.5, None]}] * 50, indent=1)

    crew.ends.append(lambda: go.append(1))
    found = crew.stands(crew.start(encode), "running", lambda s: s.what)
    assert found.what.startswith("json.")
    assert qualnames(found)[0] == "encode"


def test_own_thread_runs() -> None:
    found = standing_of(threading.get_ident())
    assert found is not None
    assert (found.kind, found.what) == ("running", "")
    assert "test_own_thread_runs" in qualnames(found)


def test_unknown_thread() -> None:
    assert standing_of(-5) is None
    assert standing_of(1, {}) is None
    assert waits_for(None) == ""


def test_raw_thread() -> None:
    gate, ended = _thread.allocate_lock(), _thread.allocate_lock()
    gate.acquire()
    ended.acquire()

    def wait() -> None:
        with gate:
            pass
        ended.release()

    ident = _thread.start_new_thread(wait, ())
    try:
        found = until(lambda: next((s for s in all_standing().values() if s.thing is gate), None))
        assert (found.kind, found.name) == ("lock", "gate")
        assert ident in all_standing()
        assert ident not in all_standing(skip=[ident])
    finally:
        gate.release()
        ended.acquire()


class Odd:
    """Raises whatever it is asked, and counts it."""

    asked = 0
    lock: Any

    def __init__(self) -> None:
        object.__setattr__(self, "lock", threading.Lock())

    def refuse(self, *args: Any) -> Any:
        Odd.asked += 1
        raise RuntimeError("asked")

    __getattr__ = __eq__ = __repr__ = __str__ = __bool__ = __len__ = __iter__ = refuse
    __class__ = property(refuse)
    hidden = property(refuse)

    def __hash__(self) -> int:
        return self.refuse()  # type: ignore[no-any-return]


class Refusing:
    """A descriptor that must not be asked."""

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        Odd.asked += 1
        return threading.Lock()


class Lazy:
    lock = Refusing()

    def __init__(self) -> None:
        self.gate = threading.Event()


def test_odd_objects(crew: Crew) -> None:
    odd, go, holding = Odd(), threading.Event(), threading.Event()
    table = {"x": odd}
    crew.ends.append(go.set)

    def hold() -> None:
        with table["x"].lock:
            holding.set()
            go.wait()

    def want() -> None:
        with odd.lock:
            pass

    keeper = crew.start(hold, name="keeper")
    holding.wait()
    before = Odd.asked
    found = crew.stands(crew.start(want), "lock", lambda s: s.holder)
    assert (found.name, found.holder) == ("odd.lock", keeper.ident)
    assert Odd.asked == before


def test_descriptors_are_not_asked(crew: Crew) -> None:
    lazy = Lazy()
    crew.ends.append(lazy.gate.set)

    def wait() -> None:
        with lazy.lock:
            lazy.gate.wait()

    thread = crew.start(wait)
    crew.stands(thread, "event")
    before = Odd.asked
    all_standing()
    assert Odd.asked == before


def test_subclasses_with_code_of_their_own(crew: Crew) -> None:
    """The wait of a subclass is named by the library's method that it calls."""

    class Own(queue.Queue[int]):
        def get(self, *args: Any) -> int:
            return super().get(*args)

        def __len__(self) -> int:
            raise RuntimeError("asked")

    jobs = Own()
    crew.ends.append(lambda: jobs.put(1))
    found = crew.stands(crew.start(jobs.get), "queue")
    assert (found.what, found.thing, found.detail) == ("queue.Queue.get()", jobs, "empty")
    assert qualnames(found)[-1] == "get"


def test_a_thing_of_no_source(crew: Crew) -> None:
    names: dict[str, Any] = {"lock": threading.Lock()}
    names["lock"].acquire()
    crew.ends.append(names["lock"].release)
    exec("def wait():\n    with lock: pass\n", names)  # noqa: S102
    thread = crew.start(names["wait"])
    found = until(lambda: (s := standing_of(thread.ident or 0)) and "wait" in qualnames(s) and s)
    assert found.kind in ("running", "unknown")
    assert found.thing is None


def test_a_fault_of_ours_is_no_fault_of_the_user(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise ZeroDivisionError

    gate = threading.Event()
    crew.ends.append(gate.set)
    thread = crew.start(gate.wait)
    crew.stands(thread, "event")
    monkeypatch.setattr(standing, "_seen", fail)
    found = standing_of(thread.ident or 0)
    assert found is not None
    assert (found.kind, found.what) == ("unknown", "")
    assert found.frames


def test_nothing_is_kept(crew: Crew) -> None:
    gate = threading.Event()
    thing = Service()
    gone = weakref.ref(thing)

    def wait(service: Service) -> None:
        with service.rlock:
            gate.wait()

    thread = crew.start(wait, thing)
    try:
        crew.stands(thread, "event")
        gc.disable()
        all_standing()
        standing_of(thread.ident or 0)
        standing_of(threading.get_ident())
    finally:
        gc.enable()
        gate.set()
        thread.join()
    crew.threads.remove(thread)
    del thread, thing
    assert gone() is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_system_confirms(crew: Crew) -> None:
    service = Service()
    crew.ends.append(service.ready.set)
    thread = crew.start(service.event)
    crew.stands(thread, "event")
    state = until(lambda: (s := os_state(thread.ident or 0)) and s.state == "S" and s)
    assert state.blocked or not state.call
    assert os_state(-1) is None
