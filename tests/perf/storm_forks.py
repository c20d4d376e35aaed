"""From how many points on does a storm pay that forks?  `python tests/perf/storm_forks.py [ITEMS ...]`.

The same moments of loads of several sizes are run from the beginning, and forked from one run; each row
tells milliseconds for a run in both ways.  Verdicts are compared, times are printed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.forking import ForkedSweep
from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep, installed

SIZES = (14, 50, 150, 400, 1_000, 2_000)
MOMENTS = 60
"""Moments of each load that are tried, spread evenly."""


class Service:
    """Three workers at a queue, each item a call that takes a while."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.items: asyncio.Queue[Any] = asyncio.Queue()

    async def start(self) -> None:
        self.workers = [asyncio.create_task(self.work(), name=f"worker-{n}") for n in range(3)]

    async def work(self) -> None:
        while True:
            item = await self.items.get()
            try:
                await self.db(item)
            except asyncio.CancelledError:
                self.env.drop(item, "stopped")
                raise
            self.env.finish(item)

    async def stop(self) -> None:
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        while not self.items.empty():
            self.env.drop(self.items.get_nowait(), "stopped")


def load_of(count: int) -> Callable[[Service, Env], Awaitable[None]]:
    """Return a load of so many items, one after the other."""

    async def load(service: Service, env: Env) -> None:
        for item in range(count):
            service.items.put_nowait(env.accept(item))
            await asyncio.sleep(0.001)

    return load


def timed(sweep: Sweep, plans: list[Plan]) -> tuple[float, list[Outcome]]:
    """Return the milliseconds of a run, and what came of all."""
    began = time.perf_counter()
    outcomes = list(sweep.outcomes(plans, 0.0))
    return (time.perf_counter() - began) / len(plans) * 1e3, outcomes


def main() -> int:
    """Print a row for each size."""
    print(f"Python {sys.version.split()[0]}; {MOMENTS} moments of each; milliseconds for a run")
    print(f"{'items':>6} {'points':>7} {'re-run':>8} {'forked, 1':>10} {'forked, 2':>10}")
    differ = 0
    for items in [int(text) for text in sys.argv[1:]] or SIZES:
        sweep = Sweep(maker(Service), load_of(items), "Service", ("stop",))
        forked = ForkedSweep(maker(Service), load_of(items), "Service", ("stop",))
        with installed(sweep.primitives):
            points = sweep.baseline(0).outcome.points
            step = max(1, points // MOMENTS)
            plans = [Plan("stop", point) for point in range(0, points, step)]
            again, wanted = timed(sweep, plans)
            row = []
            for children in (1, 2):
                forked.children = children
                taken, found = timed(forked, plans)
                row.append(taken)
                differ += found != wanted
        print(f"{items:>6} {points:>7} {again:>8.2f} {row[0]:>10.2f} {row[1]:>10.2f}")
    print("verdicts differ" if differ else "the verdicts are the same")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
