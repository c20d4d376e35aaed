"""What does a timer cost under the fake clock?  `python tests/perf/clock.py [--quick] [--json FILE]`.

A thousand tasks sleep for random times.  Processor time is measured, all candidates by turns, and the lowest
time of each counts; what matters are the ratios within one run.  looptime and async-solipsism take part where
they can be imported.  Besides: how much faster than life 3,600 ticks of a second are, and what a turn costs
that does not jump.  Figures are printed; the exit status is 1 if one of the promised ratios is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pytest_taskleak.loops.installing import World
from pytest_taskleak.loops.settings import Settings

TASKS = 1000
SLEEPS = 20
TURNS = 20_000
TICKS = 3600
PEER_US = 6.7
"""What async-solipsism 0.10 cost a timer on the quiet machine on which 9 and 5.5 us were promised (CPython 3.12)."""
PROMISED = {"hooks": 9 / PEER_US, "step": 5.5 / PEER_US}
LEAST_COMPRESSION = 100_000
MOST_STEP = 1.05
LEAST_LOOPTIME = 15

Main = Callable[[], Awaitable[None]]


async def sleeping(tasks: int, sleeps: int) -> None:
    async def one(seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311
        for delay in [draw.random() * 10 for _ in range(sleeps)]:
            await asyncio.sleep(delay)

    await asyncio.gather(*(one(number) for number in range(tasks)))


async def turning(turns: int, tasks: int = 1) -> None:
    """Turns that do not jump."""

    async def one() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    await asyncio.gather(*(one() for _ in range(tasks)))


async def ticking(ticks: int) -> None:
    for _ in range(ticks):
        await asyncio.sleep(1)


def measured(main: Callable[[], Any], run: Callable[[Any], Any]) -> float:
    """Return the seconds of processor time that a run takes."""
    gc.collect()
    began = time.process_time()
    run(main())
    return time.process_time() - began


def stock(main: Main) -> float:
    return measured(main, asyncio.run)


def ours(main: Main, **options: Any) -> float:
    world = World(Settings(**options))
    world.install()
    try:
        return measured(main, asyncio.run)
    finally:
        world.uninstall()


def jumping_stock(main: Main) -> float:
    """The stock turn with a clock that jumps in `select`, and nothing else: what nobody can go below with it."""
    loop: Any = asyncio.new_event_loop()
    now = 1000.0

    def select(timeout: float | None = None) -> list[Any]:
        nonlocal now
        if timeout:
            now = loop._scheduled[0]._when
        return []

    loop.time = lambda: now
    loop._selector.select = select
    try:
        return measured(main, loop.run_until_complete)
    finally:
        loop.close()


def looptime_run(main: Main) -> float:
    import looptime  # type: ignore[import-not-found,unused-ignore]

    loop = looptime.new_event_loop(start=0, end=10**9)
    try:
        return measured(main, loop.run_until_complete)
    finally:
        loop.close()


def solipsism_run(main: Main) -> float:
    import async_solipsism  # type: ignore[import-not-found,unused-ignore]

    loop = async_solipsism.EventLoop()
    try:
        return measured(main, loop.run_until_complete)
    finally:
        loop.close()


def candidates() -> dict[str, Callable[[Main], float]]:
    found: dict[str, Callable[[Main], float]] = {
        "stock turn, bare jump": jumping_stock,
        "hooks": lambda main: ours(main, driver="hooks"),
        "step": lambda main: ours(main, driver="step"),
        "step, seed": lambda main: ours(main, seed=1),
        "step, a thousand years on": lambda main: ours(main, driver="step", start=3e10),
    }
    peers = {"async_solipsism": ("async-solipsism", solipsism_run), "looptime": ("looptime", looptime_run)}
    for module, (name, run) in peers.items():
        if importlib.util.find_spec(module) is not None:
            found[name] = run
    return found


def best(runs: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the lowest time of each, measured by turns."""
    found = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            found[name] = min(found[name], run())
    return found


def timers(rounds: int) -> dict[str, float]:
    """Return microseconds for each timer."""

    def run_of(name: str, run: Callable[[Main], float]) -> Callable[[], float]:
        sleeps = SLEEPS // 4 if name == "looptime" else SLEEPS  # it takes its time
        return lambda: run(lambda: sleeping(TASKS, sleeps)) / (TASKS * sleeps) * 1e6

    return best({name: run_of(name, run) for name, run in candidates().items()}, rounds)


def turns(rounds: int) -> dict[str, float]:
    """Return microseconds for each turn that does not jump, of a loop of one task and of a hundred."""
    kinds: dict[str, Callable[[Main], float]] = {
        "stock": stock,
        "hooks": lambda main: ours(main, driver="hooks"),
        "step": lambda main: ours(main, driver="step"),
    }
    found = {}
    for tasks, count in ((1, TURNS), (100, TURNS // 25)):
        runs = {f"{name}, {tasks} tasks": per_step(run, count, tasks) for name, run in kinds.items()}
        found.update(best(runs, rounds))
    return found


def per_step(run: Callable[[Main], float], count: int, tasks: int) -> Callable[[], float]:
    """Return what measures the microseconds of one step."""
    return lambda: run(lambda: turning(count, tasks)) / (count * tasks) * 1e6


def compression(rounds: int) -> dict[str, float]:
    """Return how many times faster than life ticks are."""
    runs = {name: run_of_ticks(name) for name in PROMISED}
    return {name: TICKS / seconds for name, seconds in best(runs, rounds).items()}


def run_of_ticks(driver: str) -> Callable[[], float]:
    return lambda: ours(lambda: ticking(TICKS), driver=driver)


def verdicts(found: dict[str, dict[str, float]]) -> list[tuple[str, float, str, bool]]:
    """Return (what, figure, promise, kept)."""
    cost, rows = found["timers"], []
    peer = cost.get("async-solipsism")
    for name, limit in PROMISED.items():
        if peer:
            ratio = cost[name] / peer
            rows.append((f"{name} : async-solipsism", ratio, f"<= {limit:.2f}", ratio <= limit))
        if "looptime" in cost:
            ratio = cost["looptime"] / cost[name]
            rows.append((f"looptime : {name}", ratio, f">= {LEAST_LOOPTIME}", ratio >= LEAST_LOOPTIME))
        factor = found["compression"][name]
        rows.append(
            (f"compression, {name}", factor, f">= {LEAST_COMPRESSION:,}", factor >= LEAST_COMPRESSION)
        )
        for tasks in (1, 100):
            ratio = found["turns"][f"{name}, {tasks} tasks"] / found["turns"][f"stock, {tasks} tasks"]
            rows.append(
                (
                    f"turn without a jump, {tasks} tasks, {name} : stock",
                    ratio,
                    f"<= {MOST_STEP}",
                    ratio <= MOST_STEP,
                )
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds = 3 if options.quick else 7
    found = {"timers": timers(rounds), "turns": turns(rounds), "compression": compression(rounds)}
    print(f"CPython {sys.version.split()[0]}, microseconds of processor time, the best of {rounds}")
    for name, value in found["timers"].items():
        print(f"  a timer, {name:28} {value:8.2f}")
    for name, value in found["turns"].items():
        print(f"  a step without a jump, {name:14} {value:8.3f}")
    rows = verdicts(found)
    for what, value, promise, kept in rows:
        print(f"  {what:52} {value:12,.2f}   promised {promise:10} {'kept' if kept else 'MISSED'}")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2))
    return 0 if all(kept for *_, kept in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
