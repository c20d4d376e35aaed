"""What does each kind of resource cost when one is made?  `python tests/perf/kinds.py [--json FILE]`.

Each row makes a thing and ends it properly, some hundred times in a row, by turns with the watch on and
off; the lowest times of both are compared.  The first column names the kind, so that a kind whose births
are dear can be left out with `taskleak_detect = -KIND`.  Times are printed, never asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import json
import multiprocessing
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from overhead import where

from pytest_taskleak.detectors import built_in
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy

ROUNDS = 7
"""Times that each row is measured, on and off by turns; the lowest one counts."""

Action = Callable[[], object]
Awaited = Callable[[], Awaitable[object]]


async def nothing() -> None:
    """Do nothing."""


async def once() -> AsyncIterator[int]:
    """Yield one thing."""
    yield 1


async def a_task() -> None:
    await asyncio.get_running_loop().create_task(nothing())


async def a_timer() -> None:
    asyncio.get_running_loop().call_later(60, nothing).cancel()


async def a_generator() -> None:
    async for _ in once():
        pass


async def a_coroutine() -> None:
    await nothing()


async def a_reader() -> None:
    loop = asyncio.get_running_loop()
    loop.add_reader(ENDS[0], print)
    loop.remove_reader(ENDS[0])


async def a_server() -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    server.close()
    await server.wait_closed()


async def a_connection() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


def a_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def a_pool() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()


def a_loop() -> None:
    asyncio.new_event_loop().close()


def a_socket() -> None:
    socket.socket().close()


def a_program() -> None:
    subprocess.run([sys.executable, "-S", "-E", "-c", ""], check=True)


def a_process() -> None:
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    process.join()


def a_handler() -> None:
    signal.signal(signal.SIGUSR1, signal.signal(signal.SIGUSR1, signal.SIG_IGN))


ENDS = socket.socketpair()
ROWS: tuple[tuple[str, str, int, Action | None, Awaited | None], ...] = (
    ("task", "a task, awaited", 2000, None, a_task),
    ("timer", "call_later, cancelled", 2000, None, a_timer),
    ("asyncgen", "an async generator, exhausted", 2000, None, a_generator),
    ("coroutine", "a coroutine, awaited", 5000, None, a_coroutine),
    ("thread", "a thread, joined", 200, a_thread, None),
    ("executor", "an executor, one call", 100, a_pool, None),
    ("loop", "an event loop, closed", 200, a_loop, None),
    ("server", "a server, closed", 100, None, a_server),
    ("transport", "a server, and a connection to it", 50, None, a_connection),
    ("socket", "a socket, closed", 500, a_socket, None),
    ("reader", "add_reader, remove_reader", 1000, None, a_reader),
    ("signal", "a signal handler, put back", 500, a_handler, None),
    ("process", "a child process, fork and join", 20, a_process, None),
    ("process", "a program, run and waited for", 10, a_program, None),
)


def measure(action: Action | None, awaited: Awaited | None, count: int, detectors: list[Detector]) -> float:
    """Return microseconds for one action while these kinds are watched; none at all without any."""
    watch = Watch(detectors, Policy(detect=frozenset(d.kind for d in detectors)))
    scope = Scope("block", "benchmark", watch=watch, parent=watch.session)
    if detectors:
        begin(watch)
        watch.enter(scope)
    loop = asyncio.new_event_loop()

    async def many(times: int) -> int:
        assert awaited is not None
        start = time.perf_counter_ns()
        for _ in range(times):
            await awaited()
        return time.perf_counter_ns() - start

    def more(times: int) -> int:
        assert action is not None
        start = time.perf_counter_ns()
        for _ in range(times):
            action()
        return time.perf_counter_ns() - start

    try:
        warm = max(1, count // 10)
        if awaited is not None:
            loop.run_until_complete(many(warm))
            return loop.run_until_complete(many(count)) / count / 1000
        more(warm)
        return more(count) / count / 1000
    finally:
        loop.close()
        if detectors:
            watch.close(scope)
            watch.stop()


def snapshot_cost() -> list[tuple[str, float]]:
    """Return the kinds that are measured at the ends of modules, and microseconds for one look."""
    found = []
    for detector in built_in():
        if detector.measured:
            detector.snapshot()
            start = time.perf_counter_ns()
            for _ in range(100):
                detector.snapshot()
            found.append((detector.kind, (time.perf_counter_ns() - start) / 100 / 1000))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="the cost of each kind")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON too")
    arguments = parser.parse_args()
    everything = [d for d in built_in() if d.default]
    print(f"Measured on {where()}.\n")
    print("| kind | what | without, µs | added by this kind, µs | added by all, µs | ratio |")
    print("|---|---|---|---|---|---|")
    rows = []
    for kind, what, count, action, awaited in ROWS:
        own = [d for d in built_in() if d.kind == kind]
        best = [float("inf")] * 3
        for _ in range(ROUNDS):
            for number, detectors in enumerate(([], own, everything)):
                best[number] = min(best[number], measure(action, awaited, count, detectors))
        off, mine, every = best
        print(
            f"| {kind} | {what} | {off:.2f} | {mine - off:+.2f} | {every - off:+.2f} | {every / off:.2f}x |"
        )
        rows.append({"kind": kind, "what": what, "without": off, "own": mine, "all": every})
    for kind, taken in snapshot_cost():
        print(f"| {kind} | one look, at the end of a module | - | {taken:+.2f} | {taken:+.2f} | - |")
        rows.append({"kind": kind, "what": "one look", "own": taken})
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
