"""How does one run go in real time, and how is its moment named?"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.hermetic import HermeticLoop
from pytest_taskleak.storm import oracles, real_outside
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.places import call_name
from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.real_outside import Outside
from pytest_taskleak.storm.real_world import World
from pytest_taskleak.storm.run import TURNS, Run
from pytest_taskleak.storm.tokens import TokenError
from pytest_taskleak.timing import now as real_now
from pytest_taskleak.timing import pause

AXES = ("stop", "cancel", "stop2")
"""The triggers that a real run can have."""
LONGEST_LIFE = 20.0
"""Real seconds after which a run that was not told to stop is ended."""
ENDING = 0.3
"""Real seconds in which tasks may end when the world is taken down; three times."""
FORM = re.compile(
    r"real,(?P<axis>\w+)(?:,seed=(?P<seed>\d+))?@(?P<kind>time|accept|finish|drop)~(?P<number>\d+)"
)
Factory = Callable[[], asyncio.AbstractEventLoop]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a trigger comes.

    Parameters:
        kind: `time`, or an event of the ledger: `accept`, `finish` or `drop`.
        number: microseconds since the start, or after which of these events, from 0.
    """

    kind: str = "time"
    number: int = 0


class RealEnv(Env):
    """The world of one real run: it tells of what happens to the items."""

    def __init__(self, seed: int, loop: Any, happened: Callable[[str], None]) -> None:
        super().__init__(seed, loop)
        self._happened = happened

    def accept(self, item: Any) -> Any:
        """Note that the service has taken an item on; return the item."""
        return self._tell("accept", super().accept(item))

    def finish(self, item: Any) -> Any:
        """Note that an item is done, durably; return it."""
        return self._tell("finish", super().finish(item))

    def drop(self, item: Any, reason: str = "") -> Any:
        """Note that an item was given up, and that somebody was told why; return it."""
        return self._tell("drop", super().drop(item, reason))

    def _tell(self, kind: str, item: Any) -> Any:
        self._happened(kind)
        return item


class RealRun(Run):
    """One life of a service in real time.

    Parameters:
        factory: makes the loop.
        moment: when the trigger comes; `None` for never.
        options: those of `Run`.
    """

    def __init__(self, factory: Factory, moment: Moment | None, **options: Any) -> None:
        self.factory, self.moment = factory, moment
        self.handlers: dict[int, Callable[[], object]] = {}
        self.events: list[str] = []
        self.counts: Counter[str] = Counter()
        self.lived = 0.0
        super().__init__(**options)
        self.env.handlers = self.handlers
        self.world.quiet = self._quiet
        self.before = Outside.now()

    def _new_loop(self, seed: int) -> HermeticLoop:
        self.world = World(self.factory(), self.handlers)
        self.world.turn(1)  # what a loop opens when it first runs is its own
        return cast("HermeticLoop", self.world)

    def _new_env(self, plan: Plan) -> Env:
        return RealEnv(plan.seed, self.world, self._happened)

    # --- the run ------------------------------------------------------------------------------------

    def _live(self) -> None:
        world, moment = self.world, self.moment
        began = world.time()
        if moment is not None and moment.kind == "time":
            world.real.call_later(moment.number / 1e6, self._come)
        self.over.add_done_callback(lambda _: setattr(self, "lived", world.time() - began))
        self.root = world.create_task(self._root(), name="root")
        self.harness.add(self.root)
        why = world.run(self.root, until=began + LONGEST_LIFE)
        if self.triggered >= 0:
            self.outcome.drain = world.time() - self.triggered
        oracles.ended(self, why)

    def _happened(self, kind: str) -> None:
        """Let the trigger come, if it is to come after this event; in whatever thread it happens."""
        number = self.counts[kind]
        self.counts[kind] += 1
        self.events.append(kind)
        if self.moment == Moment(kind, number):
            self.world.real.call_soon_threadsafe(self._come)

    def _come(self) -> None:
        if self.root is not None and not self.root.done() and self.triggered < 0:
            self._trigger()

    def hurry(self) -> None:
        """Come to the natural end now."""
        self.natural_end()

    # --- afterwards ---------------------------------------------------------------------------------

    def _after(self) -> None:
        world, limits = self.world, self.limits
        world.turn(TURNS)
        if limits.grace:
            world.run(None, until=world.time() + limits.grace)
        oracles.left(self)
        if not oracles.hangs(self):
            oracles.stop_again(self)
        world.run(None, until=world.time() + limits.live_on)
        until = world.time() + limits.deadline
        for client in self.env.clients:  # so long an answer may take
            world.run(client, until=until)
        oracles.at_last(self)
        for client in self.env.clients:
            client.cancel()
        self.world.turn(1)
        self.outcome.violations += real_outside.left(self.before, self.world.real)

    def _quiet(self) -> bool:
        living = [
            task
            for number, task in enumerate(self.world.tasks)
            if not task.done() and task not in self.harness and not oracles.is_clients(self, number, task)
        ]
        return not living and not any(real_outside.left(self.before, self.world.real))

    def _end(self) -> None:
        world = self.world
        for _ in range(3):
            left = [task for task in {*world.tasks, *asyncio.all_tasks(world.real)} if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            for task in left:
                world.run(task, until=world.time() + ENDING / len(left))
        for timer in world.armed():
            timer.handle.cancel()
        self._end_pool()
        world.run(world.real.create_task(world.real.shutdown_asyncgens()), until=world.time() + ENDING)
        for task in world.tasks:
            asyncio_.lost_sight(task)
        born = real_outside.kill(self.before)
        if born:
            world.turn(1)  # the loop hears of their end
        real_outside.reap(born, self.before)
        oracles.told(self)
        self.primitives.made.clear()
        world.real.close()
        self.root = self.subject = self.given = self.env.service = None
        self.stops.clear()
        self.harness.clear()
        self.env.clients.clear()
        world.tasks.clear()

    def _end_pool(self) -> None:
        """Wait for calls of pools that go on, as a program does at its end, but not for ever."""
        until = real_now() + self.limits.deadline
        while self.world.calls and real_now() < until:
            pause(0.005)
        for function in list(self.world.calls.values()):
            name = call_name(function)
            text = (
                f"{name}() still runs in a pool {self.limits.deadline:g} s after the end: no program can end"
            )
            oracles.note(self, "H", text, name)


def token_of(plan: Plan, moment: Moment | None) -> str:
    """Return the token of a run: `real,stop@finish~3`; of one without a trigger, `real,baseline`."""
    seed = f",seed={plan.seed}" if plan.seed else ""
    when = f"@{moment.kind}~{moment.number}" if moment is not None else ""
    return f"real,{plan.axis}{seed}{when}"


def moment_of(token: str) -> tuple[Plan, Moment | None]:
    """Return the run that a token names.

    Raises:
        TokenError: it cannot be read.
    """
    if re.fullmatch(r"real,baseline(,seed=\d+)?", token):
        return Plan(seed=int(token.partition("=")[2] or 0)), None
    found = FORM.fullmatch(token)
    if found is None or found["axis"] not in AXES:
        raise TokenError(f"no token of a storm in real time: {token!r}; it is like real,stop@finish~3")
    return Plan(found["axis"], 0, int(found["seed"] or 0)), Moment(found["kind"], int(found["number"]))
