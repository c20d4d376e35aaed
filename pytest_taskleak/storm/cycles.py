"""Does a service that starts and stops again and again end each time where it began?

What grows with each cycle is counted: tasks, timers, calls in pools, resources, locks, objects by type.
The same counts tell, over the periods of one long life, what grows while a service runs.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt.locks import permits_left
from pytest_taskleak.storm import oracles
from pytest_taskleak.storm.adapters import Make
from pytest_taskleak.storm.counting import FOREIGN, LETTERS, objects, tasks_alive, things
from pytest_taskleak.storm.env import InjectedFault
from pytest_taskleak.storm.growth import CycleReport, Growth, growing
from pytest_taskleak.storm.ledger import Ledger
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.primitives import Primitives
from pytest_taskleak.storm.run import MOST_ENDING, TURNS, Run
from pytest_taskleak.storm.sweep import installed
from pytest_taskleak.storm.telling import listening
from pytest_taskleak.storm.verdicts import Violation
from pytest_taskleak.storm.working import Told, Work

SLICE = 1.0
"""Virtual seconds after which is looked how much has happened."""
BUSIEST = 10_000
"""Callbacks after which a cycle or a period is over: a busy service shows as much in less virtual time."""


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
        if number:
            self.env.fault = None  # a new service counts its calls anew, and only the first one is to fail
        self.starting = True
        if self.lives or not number:
            self.given = self.env.service = await subject.start()
        self.starting = False
        self.env.ledger = Ledger()  # the same items may come anew
        self.work.begins(self.env, self.given)
        if self.load is not None:
            await self.env.client(self._load(self.load), name=f"load-{number}")
        await self._pass(self.limits.linger)
        self.work.loaded(self.env, tasks_alive(self))
        crashed = bool(self.plan.dependency) and not number
        if (self.lives and (self.stopped or not crashed)) or (not self.lives and number + 1 == self.count):
            self.triggered = self.loop.time()
            await subject.stop()
            self.triggered = -1.0
        self.work.ends(self.env, self.given)
        if self.lives and (wrong := self.work.wrong(self.env, number)) is not None:
            oracles.note(self, "S", *wrong)

    async def _pass(self, seconds: float) -> None:
        """Let a cycle last so long, or less where much happens in it."""
        loop = self.loop
        ends, most = loop.time() + seconds, loop.point + BUSIEST
        while (left := ends - loop.time()) > 0 and loop.point < most:  # noqa: ASYNC110 -- nobody is there to set an event
            await asyncio.sleep(min(left, SLICE))

    def _counted(self) -> Counter[str]:
        """Count what is there, and forget what has ended."""
        held = [entry for entry in self.primitives.made if entry[1] > permits_left(entry[0])]
        self.env.resources[:] = [resource for resource in self.env.resources if resource.is_open]
        counts = things(self, len(held))
        self._forget(held)
        return counts + objects(self.loop)

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
    with installed(primitives), listening(None):
        run = Cycling(make, load, limits=limits or Limits(), primitives=primitives, **options)
        outcome = run.go()
    return CycleReport(run.made, tuple(run.growths()), outcome)
