"""Does a service that starts and stops again and again end each time where it began?

What grows with each cycle is counted: tasks, timers, calls in pools, resources, locks, objects by type.
The same counts tell, over the periods of one long life, what grows while a service runs.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt.locks import permits_left
from pytest_taskleak.storm import oracles
from pytest_taskleak.storm.adapters import Make
from pytest_taskleak.storm.env import InjectedFault, Ledger
from pytest_taskleak.storm.growth import CycleReport, Growth, growing
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.primitives import Primitives
from pytest_taskleak.storm.run import MOST_ENDING, TURNS, Run
from pytest_taskleak.storm.sweep import installed
from pytest_taskleak.storm.verdicts import Violation
from pytest_taskleak.storm.working import Told, Work

LETTERS = {
    "tasks": "T",
    "timers": "t",
    "calls in pools": "H",
    "open resources": "R",
    "locks and permits": "K",
}
"""What is counted -> the oracle that its growth belongs to; that of objects belongs to S."""
FOREIGN = (
    *(
        "_",
        "abc",
        "asyncio",
        "builtins",
        "collections",
        "contextlib",
        "functools",
        "pytest_taskleak",
        "types",
    ),
    "weakref",
)
"""Modules whose types say nothing about the service: their growth is in the report, and fails nothing."""


class Cycling(Run):
    """Starts, loads and stops a service again and again on one loop.

    Parameters:
        make: makes the service.
        load: is handed in anew in each cycle; see `Run`.
        count: how many cycles.
        fresh: whether each cycle has a service of its own.
        lives: whether each cycle starts and stops; else it is a period of one life.
        crash: the dependency whose first call fails, which is what ends the first cycle; empty for none.
        stopped: whether the service is told to stop after that, too.
        limits: virtual times; `linger` is how long a cycle lasts after its load.
        seed: decides what is left open.
        primitives: knows the locks that are made.
        done: see `Run`.
    """

    def __init__(
        self,
        make: Make,
        load: Callable[..., Any] | None,
        *,
        count: int,
        fresh: bool,
        lives: bool,
        crash: str,
        stopped: bool,
        limits: Limits,
        seed: int,
        primitives: Primitives,
        done: Told | None = None,
    ) -> None:
        plan = Plan("fault" if crash else "baseline", -1, seed, dependency=crash, call=0 if crash else -1)
        super().__init__(make, load, plan, limits, primitives=primitives, done=done)
        self.count, self.fresh, self.lives, self.stopped = count, fresh, lives, stopped
        self.made = 0
        self.starting = False
        self.work = Work(done, crashes=bool(crash))
        self.samples: list[str] = []  # as JSON: what counts objects makes none

    def _live(self) -> None:
        for number in range(self.count):
            if not self._cycle(number):
                return
            self.samples.append(json.dumps(self._counted()))
            self.made += 1

    def _cycle(self, number: int) -> bool:
        """Make one cycle; return whether it came to its end."""
        loop, limits = self.loop, self.limits
        task = self.root = loop.create_task(self._one(number), name=f"cycle-{number}")
        self.harness.add(task)
        ends = loop.time() + limits.linger + 2 * limits.deadline
        why = loop.run(task, until=ends, most=limits.most)
        if not task.done():
            oracles.ended(self, why)
            return False
        error = None if task.cancelled() else task.exception()
        crashed = bool(self.plan.dependency) and not number
        if error is None or (crashed and oracles.caused_by(error, InjectedFault)):
            loop.turn(TURNS)
            if limits.grace:
                loop.run(None, until=loop.time() + limits.grace, most=limits.most)
            return True
        if self.starting and number and not self.fresh:
            text = f"it cannot be started again, and says so: {error!r}"
            self.outcome.violations.append(Violation("S", text, "start", "advisory"))
            self.fresh = True
            return True
        words = f"cycle {number + 1} raised {error!r}"
        oracles.note(self, "S" if number else "E", words, oracles.origin(error))
        return False

    async def _one(self, number: int) -> None:
        subject = self.subject
        if subject is None or (self.lives and (self.fresh or not subject.restarts)):
            self.subject = subject = self.make(self.env)
        self.starting = True
        if self.lives or not number:
            self.given = self.env.service = await subject.start()
        self.starting = False
        self.env.ledger = Ledger()  # the same items may come anew
        self.work.begins(self.env, self.given)
        if self.load is not None:
            await self.env.client(self._load(self.load), name=f"load-{number}")
        await asyncio.sleep(self.limits.linger)
        self.work.loaded(self.env, self._tasks())
        crashed = bool(self.plan.dependency) and not number
        if (self.lives and (self.stopped or not crashed)) or (not self.lives and number + 1 == self.count):
            self.triggered = self.loop.time()
            await subject.stop()
            self.triggered = -1.0
        self.work.ends(self.env, self.given)
        if self.lives and (wrong := self.work.wrong(self.env, number)) is not None:
            oracles.note(self, "S", *wrong)

    def _tasks(self) -> int:
        """Return how many tasks of the service live."""
        return sum(
            not task.done() and task not in self.harness and not oracles.is_clients(self, number, task)
            for number, task in enumerate(self.loop.tasks)
        )

    def _counted(self) -> Counter[str]:
        """Count what is there, and forget what has ended."""
        loop, env = self.loop, self.env
        timers = [
            timer
            for timer in loop.armed()
            if not oracles.is_own(getattr(timer, "_callback", None))
            and timer.birth is not None
            and timer.birth[0] not in self.client_codes()
        ]
        held = [entry for entry in self.primitives.made if entry[1] > permits_left(entry[0])]
        env.resources[:] = [resource for resource in env.resources if resource.is_open]
        counts = Counter(
            {
                "tasks": self._tasks(),
                "timers": len(timers),
                "calls in pools": len(loop.calls),
                "open resources": len(env.resources),
                "locks and permits": len(held),
            }
        )
        self._forget(held)
        gc.collect()
        kinds = map(type, gc.get_objects())
        counts.update(Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds))
        return counts

    def _forget(self, held: list[Any]) -> None:
        """Drop what the storm itself would keep from one cycle to the next."""
        loop, env = self.loop, self.env
        for number, task in enumerate(loop.tasks):
            if task.done() and not task.cancelled() and oracles.is_clients(self, number, task):
                task.exception()  # what a client was told is its answer
        alive = [number for number, task in enumerate(loop.tasks) if not task.done()]
        loop.tasks[:], loop.births[:] = [loop.tasks[n] for n in alive], [loop.births[n] for n in alive]
        env.clients[:] = [task for task in env.clients if not task.done()]
        self.harness = {task for task in self.harness if not task.done()}
        self.primitives.made[:] = held
        self.root = None
        loop.expired.clear()

    def growths(self) -> list[Growth]:
        """Return what grows, the fastest first."""
        return growing([json.loads(sample) for sample in self.samples])

    def _after(self) -> None:
        word = "cycle" if self.lives else "period"
        for growth in self.growths():
            if growth.sort in LETTERS or not growth.sort.startswith(FOREIGN):
                shown = ", ".join(map(str, growth.counts))
                text = f"{growth.sort} grow by {growth.slope:g} for each {word}: {shown}"
                oracles.note(self, LETTERS.get(growth.sort, "S"), text, growth.sort)
        self.loop.run(None, until=self.loop.time() + self.limits.live_on, most=MOST_ENDING)


def cycle(
    make: Make,
    load: Callable[..., Any] | None = None,
    *,
    count: int = 12,
    fresh: bool = False,
    crash: str = "",
    stopped: bool = True,
    limits: Limits | None = None,
    seed: int = 0,
    done: Told | None = None,
) -> CycleReport:
    """Start and stop a service so many times, and tell what grows or does not work any more.

    A service whose second start raises has said that it is for one life; that is told, and fails nothing.

    Parameters:
        make: makes the service; see `adapters.maker`.
        load: is handed in anew in each cycle.
        count: cycles.
        fresh: whether each cycle has a service of its own; else one is started again, if it can be.
        crash: the dependency whose first call fails in the first cycle.
        stopped: whether the service is told to stop after that; else it is started as it then is.
        limits: virtual times.
        seed: decides what is left open.
        done: returns the items that are done, from the service, where the ledger is not told.

    Raises:
        ValueError: there are fewer than two cycles.
    """
    if count < 2:  # noqa: PLR2004 -- one point has no slope
        raise ValueError(f"cycle(): one cycle shows no growth - got count={count!r}")
    options = {"count": count, "fresh": fresh, "lives": True, "crash": crash, "stopped": stopped}
    return _cycled(make, load, limits=limits, seed=seed, done=done, **options)


def soak(
    make: Make,
    load: Callable[..., Any] | None = None,
    *,
    hours: float = 2.0,
    every: float = 300.0,
    limits: Limits | None = None,
    seed: int = 0,
    done: Told | None = None,
) -> CycleReport:
    """Let one service live for virtual hours, and tell what grows from period to period.

    Parameters:
        make: makes the service; see `adapters.maker`.
        load: is handed in anew in each period.
        hours: virtual hours.
        every: virtual seconds of a period.
        limits: virtual times; `linger` is `every`.
        seed: decides what is left open.
        done: returns the items that are done, from the service, where the ledger is not told.

    Raises:
        ValueError: there are fewer than two periods.
    """
    count = int(hours * 3600 / every) if every > 0 else 0
    if count < 2:  # noqa: PLR2004 -- one point has no slope
        raise ValueError(f"soak(): {hours!r} hours hold no two periods of {every!r} s")
    base = limits or Limits()
    limits = Limits(
        deadline=base.deadline, grace=base.grace, linger=every, live_on=base.live_on, most=base.most
    )
    options = {"count": count, "fresh": False, "lives": False, "crash": "", "stopped": True}
    return _cycled(make, load, limits=limits, seed=seed, done=done, **options)


def _cycled(
    make: Make, load: Callable[..., Any] | None, *, limits: Limits | None, **options: Any
) -> CycleReport:
    primitives = Primitives()
    with installed(primitives):
        run = Cycling(make, load, limits=limits or Limits(), primitives=primitives, **options)
        outcome = run.go()
    return CycleReport(run.made, tuple(run.growths()), outcome)
