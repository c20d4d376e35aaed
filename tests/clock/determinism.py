"""Does a seed give the same run in every process?  `python tests/clock/determinism.py [--seeds N] [--replays N]`.

Each replay runs all seeds over a mix of programs in a process of its own, with another hash seed; the digests
of what the loops ran must not differ.  Where they do, the first place at which two runs part is told.  The
exit status is the number of seeds that differ, at most 100.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable

from pytest_taskleak.loops.installing import World
from pytest_taskleak.loops.settings import LEVELS, Settings
from pytest_taskleak.loops.stepping import StepDriver
from pytest_taskleak.loops.trace import Trace, first_divergence

Program = Callable[[random.Random], Awaitable[None]]
KINDS = 5
DONE = "done"


async def group_abort(draw: random.Random) -> None:
    """One task of a group fails, the others are cancelled in the order of a set."""

    async def worker(number: int) -> None:
        try:
            await asyncio.shield(asyncio.sleep(draw.random()))
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(number % 3 * 0.1)

    async def failing() -> None:
        await asyncio.sleep(1)
        raise ValueError

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(draw.randint(3, 9)):
                group.create_task(worker(number))
            group.create_task(failing())
    except* ValueError:
        pass


async def gathered(draw: random.Random) -> None:
    """Sleeps that end at equal and at neighbouring times."""
    delays = [draw.choice([0.0, 0.1, 0.1003, 0.2]) for _ in range(8)]
    await asyncio.gather(*(asyncio.sleep(delay) for delay in delays))
    for first in asyncio.as_completed([asyncio.sleep(delay, delay) for delay in delays]):
        await first


async def waited(draw: random.Random) -> None:
    """What is pending is cancelled in the order of a set."""
    tasks = {asyncio.ensure_future(asyncio.sleep(draw.choice([0.1, 5.0]))) for _ in range(8)}
    _, pending = await asyncio.wait(tasks, timeout=1)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def queued(draw: random.Random) -> None:
    """Producers and consumers of one queue, a condition and an event."""
    queue: asyncio.Queue[int] = asyncio.Queue(2)
    condition, event = asyncio.Condition(), asyncio.Event()

    async def producer() -> None:
        await event.wait()
        for number in range(4):
            await queue.put(number)
            async with condition:
                condition.notify(2)
            await asyncio.sleep(draw.choice([0, 0.01]))

    async def consumer() -> None:
        while True:
            await queue.get()
            await asyncio.sleep(0)
            queue.task_done()

    async def watcher() -> None:
        async with condition:
            await condition.wait()

    consumers = [asyncio.create_task(consumer()) for _ in range(3)]
    others = [asyncio.create_task(each()) for each in (producer, producer, watcher, watcher)]
    asyncio.get_running_loop().call_later(0.5, event.set)
    await asyncio.gather(*others)
    await queue.join()
    for task in consumers:
        task.cancel()
    await asyncio.wait(consumers)


async def timed(draw: random.Random) -> None:
    """Timeouts that win and lose, some at the very time at which the work ends."""

    async def attempt() -> None:
        try:
            async with asyncio.timeout(draw.choice([0.1, 0.3, 0.5])):
                await asyncio.sleep(draw.choice([0.1, 0.3, 0.5]))
        except TimeoutError:
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(attempt())


async def streamed(draw: random.Random) -> None:
    """Connections of one process with itself."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"x" * draw.randint(1, 50) + b"\n")
            await reader.readline()
            await asyncio.sleep(0.1)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(client(port) for _ in range(3)))


async def threaded(draw: random.Random) -> None:
    """Calls in a pool that end in any order, beside a loop that goes on."""
    lock = threading.Lock()

    def work(number: int) -> int:
        time.sleep(0.0001 * (number % 3))
        with lock:
            return sum(range(500 * number))

    async def call(number: int) -> None:
        await asyncio.to_thread(work, number)
        await asyncio.sleep(0.1)

    async def ticking() -> None:
        for _ in range(6):
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)

    await asyncio.gather(*(call(draw.randint(0, 5)) for _ in range(5)), ticking(), ticking())


PROGRAMS: tuple[Program, ...] = (group_abort, gathered, waited, queued, timed, streamed, threaded)


async def mixed(seed: int) -> None:
    """Run some of the programs at once, which ones is drawn from the seed."""
    draw = random.Random(seed)  # noqa: S311
    chosen = draw.sample(PROGRAMS, KINDS)
    draws = [random.Random(draw.random()) for _ in chosen]  # noqa: S311
    await asyncio.gather(*(program(own) for program, own in zip(chosen, draws, strict=True)))


def traced(seed: int, program: Callable[[], Awaitable[None]], level: str) -> Trace:
    """Run a program under a seed and return what its loop ran."""
    world = World(Settings(seed=seed, level=level, start=0.0))
    traces: list[Trace | None] = []

    async def main() -> None:
        driver = world.drivers[id(asyncio.get_running_loop())]
        assert isinstance(driver, StepDriver)
        traces.append(driver.trace)
        await program()

    world.install()
    try:
        asyncio.run(main())
    finally:
        world.uninstall()
    trace = traces[0]
    assert trace is not None
    return trace


def level_of(seed: int) -> str:
    return LEVELS[seed % len(LEVELS)]


def run(seed: int) -> Trace:
    """Run the mix of a seed."""
    return traced(seed, lambda: mixed(seed), level_of(seed))


def replay(first: int, seeds: int) -> None:
    """Print the digest of each seed; this is what a process of its own does."""
    for seed in range(first, first + seeds):
        trace = run(seed)
        print(seed, trace.digest(), len(trace), flush=True)
    print(DONE, flush=True)


def start(first: int, seeds: int, hash_seed: int) -> subprocess.Popen[str]:
    """Start a process that replays all seeds."""
    command = [sys.executable, "-P", os.path.abspath(__file__), "--replay", str(first), str(seeds)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    )


def digests(first: int, seeds: int, replays: int, at_once: int) -> list[list[str]]:
    """Return the lines of each of the processes.

    Raises:
        RuntimeError: a process ended early.
    """
    found = []
    for begin in range(0, replays, at_once):
        running = [start(first, seeds, 1 + number) for number in range(begin, min(begin + at_once, replays))]
        for process in running:
            lines = process.communicate()[0].split("\n")
            if process.returncode or lines[-2:] != [DONE, ""]:
                raise RuntimeError(f"a replay ended with status {process.returncode}: {lines[-3:]}")
            found.append(lines[:-2])
    return found


def differing(found: list[list[str]]) -> list[int]:
    """Return the seeds whose digests are not all the same."""
    return [int(lines[0].split()[0]) for lines in zip(*found, strict=True) if len(set(lines)) > 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--replay", nargs=2, type=int, metavar=("FIRST", "SEEDS"))
    options = parser.parse_args()
    if options.replay:
        replay(*options.replay)
        return 0
    found = digests(options.first, options.seeds, options.replays, options.at_once)
    bad = differing(found)
    different = len({line.split()[1] for line in found[0]})
    print(
        f"{options.seeds} seeds x {options.replays} replays: {len(bad)} seeds with digests that differ; "
        f"{different} different digests among the seeds; {sum(int(line.split()[2]) for line in found[0])} records"
    )
    for seed in bad[:3]:
        told = next((first_divergence(run(seed), run(seed)) for _ in range(20)), None)
        print(f"seed {seed}: {told or 'no difference within this process'}")
    return min(len(bad), 100)


if __name__ == "__main__":
    sys.exit(main())
