"""How does one run go: start, load, trigger, stop, and what is looked at afterwards?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.hermetic import START, HermeticError, HermeticLoop
from pytest_taskleak.adapt.immortal import immortal
from pytest_taskleak.loops.schedule import TIE, WAKE, mix
from pytest_taskleak.storm import oracles, triggers
from pytest_taskleak.storm.adapters import Make, Subject, ended_all, takes_two, waited
from pytest_taskleak.storm.env import Env, all_codes
from pytest_taskleak.storm.inside import Inside
from pytest_taskleak.storm.moments import NONE, Moments
from pytest_taskleak.storm.observing import Observer
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.primitives import Primitives
from pytest_taskleak.storm.verdicts import Violation
from pytest_taskleak.storm.world import WORLD

LONGEST_LIFE = 3_600.0
"""Virtual seconds after which a run that was not told to stop is ended."""
TURNS = 24
"""Turns in which what is on its way out may end, without time passing."""
MOST_ENDING = 2_000
"""Callbacks that may run while the world is taken down."""


@dataclass(slots=True)
class Outcome:
    """What came of one run.

    Parameters:
        plan: what was done.
        points: callbacks up to the natural end; of the baseline, so many points there are.
        violations: what was wrong.
        drain: virtual seconds from the trigger to the end of the stop.
        depended: dependency -> how often it was called.
        hit: whether the trigger's moment came.
        items: for how many items the load would ask of itself; 0 where it does not ask.
        moments: those that are no points.
    """

    plan: Plan
    points: int = 0
    violations: list[Violation] = field(default_factory=list)
    drain: float = 0.0
    depended: dict[str, int] = field(default_factory=dict)
    hit: bool = False
    items: int = 0
    moments: Moments = NONE


class Run:
    """One life of a service.

    Parameters:
        make: makes the service.
        load: is given the service, and the environment if it takes two; a coroutine function or not.
        plan: what is done to it.
        limits: virtual times.
        primitives: knows the locks that are made.
        observer: is told of each step; `None` costs nothing.
        done: returns the items that are done, from what the load was given, where the ledger is not told.
    """

    def __init__(
        self,
        make: Make,
        load: Callable[..., Any] | None,
        plan: Plan,
        limits: Limits,
        *,
        primitives: Primitives,
        observer: Observer | None = None,
        done: Callable[[Any], Any] | None = None,
    ) -> None:
        self.make, self.load, self.plan, self.limits = make, load, plan, limits
        self.primitives, self.observer, self.done = primitives, observer, done
        self.loop = self._new_loop(plan.seed)
        self.env = self._new_env(plan)
        self.subject: Subject | None = None
        self.given: Any = None
        self.root: asyncio.Task[Any] | None = None
        self.stops: list[asyncio.Task[Any]] = []
        self.harness: set[Any] = set()
        self.inside = Inside(self)
        self.env.stopping = self.inside.stop
        if plan.axis == "inside" or observer is not None:
            self.env.calling = self.inside.called
        self.outcome = Outcome(plan)
        self.over: asyncio.Future[None] = self.loop.create_future()  # the natural end, or the stop's
        self.stopping = False
        self.triggered = -1.0
        self.early: set[Any] = set()  # clients that had their answers before the end began
        self.victim: asyncio.Task[Any] | None = None
        self.killed = -1.0
        self._codes = set(all_codes(code)) if (code := getattr(load, "__code__", None)) else set()
        if observer is not None:
            observer.loop, observer.env = self.loop, self.env

    def _new_loop(self, seed: int) -> HermeticLoop:
        same = not seed
        return HermeticLoop(
            ties=(lambda number: number) if same else (lambda number: mix(seed, TIE, number)),
            hashes=(lambda number: number) if same else (lambda number: mix(seed, WAKE, number) >> 8),
            refuse=self._refuse,
        )

    def _new_env(self, plan: Plan) -> Env:
        return Env(plan.seed, self.loop, plan.fault, plan.items)

    # --- the whole ----------------------------------------------------------------------------------

    def go(self) -> Outcome:
        """Run it, and return what came of it."""
        with self._world() as heard:
            try:
                self._live()
                self._after()
            finally:
                self._end()
            gc.collect()  # what was dropped is told now, and not in the next run
            while oracles.told(self):
                gc.collect()  # an error had kept what its frames hold
        oracles.never_awaited(self, heard)
        outcome = self.outcome
        outcome.violations += self.env.found
        outcome.depended = self.env.depended
        outcome.items = self.env.wanted
        if self.observer is not None:
            inside, lines = self.inside, self.env.lines
            outcome.moments = Moments(
                tuple(inside.calls), inside.stops, inside.awaited, lines.moments(), lines.held
            )
        return outcome

    @contextlib.contextmanager
    def _world(self) -> Iterator[list[warnings.WarningMessage]]:
        """Let the loop be the current one, and hear of what is never awaited."""
        self.primitives.made.clear()
        WORLD.begin(self.plan.seed)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("ignore")
            warnings.filterwarnings(
                "always", message="coroutine .* was never awaited", category=RuntimeWarning
            )
            yield heard

    def _live(self) -> None:
        """Start the service, load it, and let the trigger come."""
        loop, limits = self.loop, self.limits
        loop.at = self.plan.point
        loop.inject = self._trigger
        if self.observer is not None:
            loop.each = self.observer.stepped
        self.root = loop.create_task(self._root(), name="root")
        self.harness.add(self.root)
        why = loop.run(self.root, until=START + LONGEST_LIFE, most=limits.most)
        loop.at, loop.each = -1, None if self.observer is None else self.observer.later
        if not self.outcome.points:
            self.outcome.points = loop.point
        if self.triggered >= 0:
            self.outcome.drain = self.inside.drained() - self.triggered
        oracles.ended(self, why)

    async def _root(self) -> None:
        """What a program does with its service."""
        self.subject = subject = self.make(self.env)
        try:
            self.given = self.env.service = await subject.start()
        except BaseException:
            await ended_all([*self.stops, *self.inside.open])  # whoever has called one waits for it
            raise
        try:
            if not self.stopping:  # nobody hands in work once the stop has begun
                self._begin_load()
            await self.over
        finally:
            if self.stopping:
                await ended_all([*self.stops, *self.inside.open])
            else:
                self.outcome.points = self.outcome.points or self.loop.point
                if self.triggered < 0:
                    self.begin_end()
                await subject.stop()

    def _begin_load(self) -> None:
        """Let the load be handed in, and the natural end come some time after it."""
        if self.load is None:
            self.loop.call_later(self.limits.linger, self.natural_end)
            return
        task = self.env.client(self._load(self.load), name="load")
        task.add_done_callback(lambda _: self.loop.call_later(self.limits.linger, self.natural_end))

    async def _load(self, load: Callable[..., Any]) -> None:
        arguments = (self.given, self.env) if takes_two(load) else (self.given,)
        await waited(load(*arguments))

    def natural_end(self) -> None:
        victim = self.victim
        if victim is not None and not victim.done():
            left = self.killed + self.limits.deadline + self.limits.grace - self.loop.time()
            if left > 0:  # before the stop that would end it: its own cancellation must have
                self.loop.call_later(min(left, self.limits.linger), self.natural_end)
                return
            oracles.outlived(self, victim)
        slow = self.env.lines.slow_until - self.loop.time()
        if slow > 0:  # its effect is seen before the stop that ends it
            self.loop.call_later(slow + self.limits.linger, self.natural_end)
        elif not self.over.done():
            self.over.set_result(None)

    def client_codes(self) -> set[Any]:
        """Return the code of the load and of the clients: what they make is theirs."""
        return self._codes | self.env.client_codes

    # --- the trigger --------------------------------------------------------------------------------

    def begin_end(self) -> None:
        """Note that the end has begun: from here on the deadline counts."""
        if self.triggered < 0:
            self.triggered = self.loop.time()
            self.early = {client for client in self.env.clients if client.done()}
            self.loop.until = self.triggered + self.limits.deadline

    def _trigger(self) -> None:
        """Do what the plan wants at its moment."""
        self.outcome.hit = triggers.strike(self)

    # --- afterwards ---------------------------------------------------------------------------------

    def _after(self) -> None:
        """Look what is left, stop once more, and let late timers come up."""
        loop, limits = self.loop, self.limits
        loop.turn(TURNS)
        if limits.grace:
            loop.run(None, until=loop.time() + limits.grace, most=limits.most)
        if self.observer is not None:
            self.observer.judge()
            loop.each = None
        oracles.left(self)
        if self.plan.axis != "kill" and not oracles.hangs(self):
            oracles.stop_again(self)
        loop.run(None, until=loop.time() + limits.live_on, most=MOST_ENDING)
        oracles.at_last(self)

    def _end(self) -> None:
        """Take the world down; whatever resists is let be."""
        loop = self.loop
        loop.thaw()
        for span, most in ((1.0, MOST_ENDING), (1.0, MOST_ENDING), (self.limits.live_on, MOST_ENDING // 20)):
            left = [task for task in loop.tasks if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            loop.run(None, until=loop.time() + span, most=most)
        oracles.told(self)
        for task in loop.tasks:
            asyncio_.lost_sight(task) if task.done() else immortal(task)
        self.primitives.made.clear()
        loop.close()
        self.root = self.victim = self.subject = self.given = self.env.service = None
        self.stops.clear()
        self.harness.clear()
        self.early.clear()
        self.env.clients.clear()
        self.env.disconnected()  # what a connection was lost with keeps the task that nobody has asked
        loop.tasks.clear()

    def _refuse(self, what: str) -> NoReturn:
        error = HermeticError(
            f"{what} reaches outside of the simulated loop; use env.dep(), for streams env.server(), "
            "env.connect() or env.stream_pair(), for an ASGI app shutdown_storm.asgi(app, ...); or run the "
            'storm with mode="real"'
        )
        self.env.tell("N", str(error), where=what)
        raise error
