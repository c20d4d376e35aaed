"""Virtual time stands while a thread or a pool is at work, and does not while they only wait."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import functools
import multiprocessing.pool
import queue
import selectors
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import anyio.to_thread
import pytest

from pytest_taskleak import FakeClock

WORK = 0.03
"""Real seconds of work in a thread."""
Scenario = Callable[[], Awaitable[None]]

at_work: list[Scenario] = []
"""Each has some work under way in a thread and must not see a timeout of one virtual second."""
at_rest: list[Scenario] = []
"""Each has threads that only wait, while virtual time goes on."""


def works(scenario: Scenario) -> Scenario:
    at_work.append(scenario)
    return scenario


def rests(scenario: Scenario) -> Scenario:
    at_rest.append(scenario)
    return scenario


def run(scenario: Scenario) -> FakeClock:
    with FakeClock() as clock:
        asyncio.run(scenario())  # type: ignore[arg-type]
    return clock


@pytest.fixture(autouse=True)
def ended_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)


async def passes(seconds: float = 100.0) -> None:
    """Let virtual time pass, and see that it did so at once."""
    loop, began, real = asyncio.get_running_loop(), asyncio.get_running_loop().time(), time.monotonic()
    await asyncio.sleep(seconds)
    assert loop.time() - began == seconds
    assert time.monotonic() - real < 2.0


@contextmanager
def thread(
    target: Callable[[], object], end: Callable[[], object] = lambda: None
) -> Iterator[threading.Thread]:
    """A thread that ends when `end` is called."""
    made = threading.Thread(target=target)
    made.start()
    try:
        yield made
    finally:
        end()
        made.join()


# --- at work ------------------------------------------------------------------------------------


@works
async def raw_thread_calls_the_loop() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def work() -> None:
        time.sleep(WORK)
        loop.call_soon_threadsafe(future.set_result, None)

    with thread(work):
        async with asyncio.timeout(1):
            await future


@works
async def thread_below_threading() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def work() -> None:
        time.sleep(WORK)
        loop.call_soon_threadsafe(future.set_result, None)

    _thread.start_new_thread(work, ())
    async with asyncio.timeout(1):
        await future


@works
async def thread_that_starts_a_thread() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def last() -> None:
        time.sleep(WORK)
        loop.call_soon_threadsafe(future.set_result, None)

    inner = threading.Thread(target=last)

    def work() -> None:
        inner.start()
        inner.join()

    with thread(work):
        async with asyncio.timeout(1):
            await future


@works
async def submit_and_wrap_future() -> None:
    with ThreadPoolExecutor(1) as pool:
        async with asyncio.timeout(1):
            await asyncio.wrap_future(pool.submit(time.sleep, WORK))


@works
async def queued_behind_other_work() -> None:
    with ThreadPoolExecutor(1) as pool:
        async with asyncio.timeout(1):
            await asyncio.gather(*(asyncio.wrap_future(pool.submit(time.sleep, WORK / 5)) for _ in range(8)))


@works
async def very_short_calls() -> None:
    with ThreadPoolExecutor(2) as pool:
        for _ in range(50):
            async with asyncio.timeout(1):
                await asyncio.wrap_future(pool.submit(int))


@works
async def run_in_executor() -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as pool:
        async with asyncio.timeout(1):
            await loop.run_in_executor(pool, time.sleep, WORK)


@works
async def asyncio_to_thread() -> None:
    async with asyncio.timeout(1):
        await asyncio.to_thread(time.sleep, WORK)


@works
async def anyio_to_thread() -> None:
    for _ in range(2):  # the second call finds the worker of the first
        async with asyncio.timeout(1):
            await anyio.to_thread.run_sync(time.sleep, WORK)


@works
async def getaddrinfo() -> None:
    async with asyncio.timeout(1):
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)


@works
async def work_that_uses_the_processor() -> None:
    async with asyncio.timeout(1):
        await asyncio.to_thread(sum, range(1_000_000))


@works
async def callback_of_a_future() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def done(_: object) -> None:
        time.sleep(WORK)
        loop.call_soon_threadsafe(future.set_result, None)

    with ThreadPoolExecutor(1) as pool:
        async with asyncio.timeout(1):
            pool.submit(int).add_done_callback(done)
            await future


@works
async def server_in_a_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                data = connection.recv(100)
                time.sleep(WORK)
                connection.sendall(data)

        with thread(serve):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
                writer.close()
                await writer.wait_closed()


@works
async def thread_takes_from_a_simple_queue() -> None:
    loop = asyncio.get_running_loop()
    jobs: queue.SimpleQueue[asyncio.Future[None] | None] = queue.SimpleQueue()

    def work() -> None:
        while (future := jobs.get()) is not None:
            time.sleep(0.001)
            loop.call_soon_threadsafe(future.set_result, None)

    with thread(work, functools.partial(jobs.put, None)):
        for _ in range(10):
            future: asyncio.Future[None] = loop.create_future()
            async with asyncio.timeout(1):
                jobs.put(future)
                await future


@works
async def thread_goes_over_a_simple_queue() -> None:
    loop = asyncio.get_running_loop()
    jobs: queue.SimpleQueue[asyncio.Future[None] | None] = queue.SimpleQueue()

    def work() -> None:
        for future in iter(jobs.get, None):
            time.sleep(0.001)
            loop.call_soon_threadsafe(future.set_result, None)

    with thread(work, functools.partial(jobs.put, None)):
        for _ in range(10):
            future: asyncio.Future[None] = loop.create_future()
            await asyncio.sleep(50)
            async with asyncio.timeout(1):
                jobs.put(future)
                await future


@works
async def thread_takes_from_a_queue() -> None:
    loop = asyncio.get_running_loop()
    jobs: queue.Queue[asyncio.Future[None] | None] = queue.Queue()

    def work() -> None:
        while (future := jobs.get()) is not None:
            time.sleep(0.001)
            loop.call_soon_threadsafe(future.set_result, None)

    with thread(work, functools.partial(jobs.put, None)):
        for _ in range(10):
            future: asyncio.Future[None] = loop.create_future()
            async with asyncio.timeout(1):
                jobs.put(future)
                await future


@works
async def lock_given_to_a_thread() -> None:
    loop = asyncio.get_running_loop()
    lock = threading.Lock()
    lock.acquire()
    future = loop.create_future()

    def work() -> None:
        with lock:
            loop.call_soon_threadsafe(future.set_result, None)

    with thread(work):
        await asyncio.sleep(50)
        async with asyncio.timeout(1):
            lock.release()
            await future


@works
async def threads_that_wake_each_other() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    here: queue.Queue[int] = queue.Queue()
    there: queue.Queue[int] = queue.Queue()

    def one() -> None:
        for number in range(100):
            there.put(number)
            here.get()
        loop.call_soon_threadsafe(future.set_result, None)

    def other() -> None:
        for _ in range(100):
            here.put(there.get())

    with thread(one), thread(other):
        async with asyncio.timeout(1):
            await future


@works
async def child_process_in_a_thread() -> None:
    async with asyncio.timeout(1):
        told = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", "print(1)"], capture_output=True, check=True
        )
    assert told.stdout == b"1\n"


@works
async def shutdown_of_a_busy_executor() -> None:
    pool = ThreadPoolExecutor(2)
    pool.submit(time.sleep, WORK)
    async with asyncio.timeout(1):
        await asyncio.to_thread(pool.shutdown)


@pytest.mark.parametrize("scenario", at_work, ids=lambda scenario: scenario.__name__)
def test_no_timeout_comes_early(scenario: Scenario) -> None:
    run(scenario)


def test_a_pool_of_processes_is_at_work() -> None:
    async def main() -> None:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            async with asyncio.timeout(1):
                await asyncio.wrap_future(pool.submit(time.sleep, WORK))
            await passes()
            async with asyncio.timeout(1):
                await asyncio.gather(
                    *(asyncio.wrap_future(pool.submit(time.sleep, WORK / 3)) for _ in range(4))
                )

    clock = run(main)
    assert "pool" in clock.stats.real_wait


def test_a_pool_of_multiprocessing_is_at_work() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with multiprocessing.pool.ThreadPool(1) as pool:
            for _ in range(3):
                future: asyncio.Future[None] = loop.create_future()
                told: Any = functools.partial(loop.call_soon_threadsafe, future.set_result)  # type: ignore[arg-type]
                async with asyncio.timeout(1):
                    pool.apply_async(time.sleep, (WORK,), callback=told)
                    await future
            await passes()

    run(main)


def test_a_pool_of_interpreters_is_at_work() -> None:
    kind: Any = getattr(concurrent.futures, "InterpreterPoolExecutor", None)
    if kind is None:
        pytest.skip("since 3.14")

    async def main() -> None:
        with kind(1) as pool:
            async with asyncio.timeout(1):
                await asyncio.wrap_future(pool.submit(time.sleep, WORK))
            await passes()

    run(main)


@pytest.mark.parametrize("waiting", ["queue", "simple", "socket"])
def test_work_for_a_worker_that_is_older_than_the_clock(waiting: str) -> None:
    box: dict[str, Any] = {
        "queue": queue.Queue(),
        "simple": queue.SimpleQueue(),
        "socket": socket.socketpair(),
    }
    jobs = box[waiting]
    with ExitStack() as stack:
        for end in box["socket"]:
            stack.enter_context(end)
        orders: list[Callable[[], None]] = []

        def order(job: Callable[[], None]) -> None:
            orders.append(job)
            jobs[0].send(b"x") if waiting == "socket" else jobs.put(None)

        def work() -> None:
            while True:
                jobs[1].recv(1) if waiting == "socket" else jobs.get()
                job = orders.pop(0)
                job()
                if job is ended:
                    return

        def ended() -> None:
            pass

        async def main() -> None:
            loop = asyncio.get_running_loop()
            for _ in range(3):
                future = loop.create_future()

                def job(future: asyncio.Future[None] = future) -> None:
                    time.sleep(WORK)
                    loop.call_soon_threadsafe(future.set_result, None)

                async with asyncio.timeout(1):
                    order(job)
                    await future
                await passes()

        with thread(work, lambda: order(ended)):
            time.sleep(0.005)
            run(main)


def test_work_of_an_executor_that_is_older_than_the_clock() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()

        async def main() -> None:
            for _ in range(5):
                async with asyncio.timeout(1):
                    await asyncio.wrap_future(pool.submit(time.sleep, WORK / 5))
                await passes()

        run(main)


def test_a_loop_in_another_thread_that_the_main_thread_drives() -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(3600)
        return 2 * number

    loop = asyncio.new_event_loop()
    began = time.monotonic()
    with FakeClock(), thread(loop.run_forever, lambda: loop.call_soon_threadsafe(loop.stop)):
        for number in range(5):
            assert asyncio.run_coroutine_threadsafe(double(number), loop).result() == 2 * number
            time.sleep(0.002)  # the main thread does something of its own
    loop.close()
    assert time.monotonic() - began < 5.0


def test_the_main_thread_holds_the_time_of_a_loop_in_another_thread() -> None:
    async def limited(event: asyncio.Event) -> None:
        async with asyncio.timeout(1):
            await event.wait()

    loop = asyncio.new_event_loop()
    with FakeClock(), thread(loop.run_forever, lambda: loop.call_soon_threadsafe(loop.stop)):
        event = asyncio.Event()
        ended = asyncio.run_coroutine_threadsafe(limited(event), loop)
        time.sleep(WORK)
        loop.call_soon_threadsafe(event.set)
        ended.result()
    loop.close()


# --- at rest ------------------------------------------------------------------------------------


@rests
async def worker_that_waits_for_the_loop() -> None:
    loop = asyncio.get_running_loop()

    async def answer() -> int:
        await asyncio.sleep(5)
        return 7

    def ask() -> int:
        return asyncio.run_coroutine_threadsafe(answer(), loop).result()

    began = loop.time()
    async with asyncio.timeout(60):
        assert await asyncio.to_thread(ask) == 7
    assert loop.time() - began == 5


@rests
async def saturated_pool() -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        event = threading.Event()
        first: Any = pool.submit(event.wait)
        second: Any = pool.submit(int)
        loop.call_later(1000, event.set)
        await passes(999)
        assert not first.done()
        await asyncio.wait([asyncio.wrap_future(first), asyncio.wrap_future(second)])
        assert second.result() == 0


@rests
async def idle_pool() -> None:
    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(time.sleep, 0.001) for _ in range(3)]:
            await asyncio.wrap_future(future)
        await passes()


@rests
async def idle_worker_of_anyio() -> None:
    await anyio.to_thread.run_sync(int)
    await passes(5)


@rests
async def event_wait() -> None:
    event = threading.Event()
    with thread(event.wait, event.set):
        await passes()


@rests
async def wait_with_a_timeout() -> None:
    event = threading.Event()
    with thread(lambda: event.wait(60), event.set):
        await passes()


@rests
async def barrier_and_semaphore() -> None:
    barrier, semaphore = threading.Barrier(2), threading.Semaphore(0)
    with thread(barrier.wait, barrier.wait), thread(semaphore.acquire, semaphore.release):
        await passes()


@rests
async def lock_acquire() -> None:
    lock = threading.Lock()
    lock.acquire()

    def work() -> None:
        lock.acquire()

    with thread(work, lock.release):
        await passes()


@rests
async def lock_in_a_with_block() -> None:
    lock = threading.Lock()
    lock.acquire()

    def work() -> None:
        with lock:
            pass

    with thread(work, lock.release):
        await passes()


@rests
async def reentrant_lock() -> None:
    lock = threading.RLock()
    lock.acquire()

    def work() -> None:
        with lock:
            pass

    with thread(work, lock.release):
        await passes()


@rests
async def lock_of_a_condition() -> None:
    condition = threading.Condition()
    condition.acquire()

    def work() -> None:
        with condition:
            pass

    with thread(work, condition.release):
        await passes()


@rests
async def simple_queue_get() -> None:
    jobs: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work() -> None:
        jobs.get()

    with thread(work, functools.partial(jobs.put, None)):
        await passes()


@rests
async def simple_queue_get_with_a_timeout() -> None:
    jobs: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work() -> None:
        jobs.get(timeout=60)

    with thread(work, functools.partial(jobs.put, None)):
        await passes()


@rests
async def queue_get_and_put() -> None:
    empty: queue.Queue[None] = queue.Queue()
    full: queue.Queue[None] = queue.Queue(1)
    full.put(None)
    with thread(empty.get, functools.partial(empty.put, None)), thread(lambda: full.put(None), full.get):
        await passes()


@rests
async def join_of_a_thread_that_waits() -> None:
    event = threading.Event()
    with thread(event.wait, event.set) as joined, thread(joined.join, event.set):
        await passes()


@rests
async def server_that_waits_for_clients() -> None:
    made = socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.StreamRequestHandler)
    with made as server, thread(server.serve_forever, server.shutdown):
        await passes()


@rests
async def accept_and_recv() -> None:
    near, far = socket.socketpair()
    with near, far, socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            listener.accept()[0].close()

        def connect() -> None:
            socket.create_connection(listener.getsockname()).close()

        def receive() -> None:
            near.recv(1)

        with thread(accept, connect), thread(receive, lambda: far.send(b"x")):
            await passes()


@rests
async def selector_of_a_thread() -> None:
    near, far = socket.socketpair()
    with near, far, selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ)
        with thread(selector.select, lambda: far.send(b"x")):
            await passes()


@rests
async def timer_of_threading() -> None:
    timer = threading.Timer(60, int)
    timer.start()
    await passes()
    timer.cancel()


@pytest.mark.parametrize("scenario", at_rest, ids=lambda scenario: scenario.__name__)
def test_time_goes_on(scenario: Scenario) -> None:
    run(scenario)


def test_old_threads_that_sleep_do_not_hold_time() -> None:
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            time.sleep(0.01)

    async def main() -> None:
        for _ in range(5):
            await passes()
            await asyncio.to_thread(time.sleep, WORK)

    with thread(watch, ended.set):
        run(main)


def test_a_loop_in_an_old_thread_that_is_idle_does_not_hold_time() -> None:
    loop = asyncio.new_event_loop()
    with thread(loop.run_forever, lambda: loop.call_soon_threadsafe(loop.stop)):
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
        run(passes)
    loop.close()


# --- around -------------------------------------------------------------------------------------


def test_submit_is_put_back() -> None:
    before = ThreadPoolExecutor.__dict__["submit"]
    with FakeClock():
        assert ThreadPoolExecutor.__dict__["submit"] is not before
    assert ThreadPoolExecutor.__dict__["submit"] is before


def test_submit_that_others_have_replaced_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeClock():
        ours: Any = ThreadPoolExecutor.submit

        def theirs(self: Any, *args: Any) -> Any:
            return ours(self, *args)

        monkeypatch.setattr(ThreadPoolExecutor, "submit", theirs)
    assert vars(ThreadPoolExecutor)["submit"] is theirs
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(int).result() == 0
    run(submit_and_wrap_future)


def test_the_result_of_a_call_is_not_kept() -> None:
    import gc
    import weakref

    class Thing:
        pass

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            future = asyncio.wrap_future(pool.submit(Thing))
            alive = weakref.ref(await future)
            del future
            await passes()
            gc.collect()
            assert alive() is None

    run(main)


def test_what_time_waited_for_is_told() -> None:
    clock = run(raw_thread_calls_the_loop)
    assert set(clock.stats.real_wait) == {"thread"}
    clock = run(asyncio_to_thread)
    assert "pool" in clock.stats.real_wait


@pytest.mark.asyncio
async def test_a_timer_of_a_thread_is_work_until_it_has_fired() -> None:
    async with FakeClock(), asyncio.timeout(1):
        loop = asyncio.get_running_loop()
        fired = asyncio.Event()
        timer = threading.Timer(0.05, loop.call_soon_threadsafe, [fired.set])
        timer.start()
        await fired.wait()
        timer.join()


@pytest.mark.asyncio
async def test_a_timer_that_is_far_away_is_none() -> None:
    timer = threading.Timer(60, print)
    timer.start()
    try:
        async with FakeClock() as clock:
            other = threading.Timer(90, print)
            other.start()
            await asyncio.sleep(3600)
            other.cancel()
            other.join()
            assert clock.elapsed == 3600
    finally:
        timer.cancel()
        timer.join()
