"""What does a load hand in, what comes out of it, and what does a service depend on?

A service under a storm may be given dependencies with latency and fault points, and resources that know
whether they are open; a load may say what it has handed in.  The other checks hold without any of it.
"""

from __future__ import annotations

import asyncio
import functools
import random
import sys
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from types import CodeType
from typing import Any, Self

from pytest_taskleak.storm.connecting import Connecting
from pytest_taskleak.storm.ledger import Ledger
from pytest_taskleak.storm.stopping import Stopping
from pytest_taskleak.storm.verdicts import Scale, Violation


class InjectedFault(ConnectionError):
    """A dependency fails because the storm wants it to."""


@dataclass(slots=True)
class Fault:
    """Which call of a dependency fails.

    Parameters:
        dependency: its name.
        call: the number of the call, from 0.
        persistent: whether all later ones fail, too.
    """

    dependency: str
    call: int
    persistent: bool = False

    def hits(self, name: str, number: int) -> bool:
        """Tell whether a call fails."""
        return name == self.dependency and (number == self.call or (self.persistent and number > self.call))


class Dependency:
    """Something outside that a service calls: `await dep(...)` takes a virtual while, and may fail.

    Parameters:
        env: the environment of the run.
        name: what it is called.
        latency: the least and the most seconds that a call takes.
        result: returns what a call returns, from its arguments.
    """

    def __init__(
        self, env: Env, name: str, latency: tuple[float, float], result: Callable[..., Any] | None
    ) -> None:
        self.env = env
        self.name = name
        self.latency = latency
        self.result = result
        self.calls = 0

    async def __call__(self, *args: Any, **options: Any) -> Any:
        """Call it.

        Raises:
            InjectedFault: the storm lets this call fail.
        """
        number = self.calls
        self.calls += 1
        self.env.depended[self.name] = self.calls
        env = self.env
        if env.calling is not None:
            await env.calling(self.name, number)
        low, high = self.latency
        await asyncio.sleep((low + (high - low) * env.rng.random()) * env.slow)
        fault = env.fault
        if fault is not None and fault.hits(self.name, number):
            raise InjectedFault(f"{self.name}: call {number} fails")
        if env.flaky and (key := (self.name, repr(args))) not in env.tried:
            env.tried.add(key)
            if env.rng.random() < env.flaky:
                raise InjectedFault(f"{self.name}: the first try with {args!r} fails")
        return self.result(*args, **options) if self.result is not None else None


class Resource:
    """Something that is opened, used and closed; it tells of each use in the wrong state.

    Parameters:
        env: the environment of the run.
        name: what it is called.
    """

    def __init__(self, env: Env, name: str) -> None:
        self.env = env
        self.name = name
        self.is_open = False
        self.opened = 0

    def open(self) -> Resource:
        """Open it."""
        self.is_open = True
        self.opened += 1
        return self

    def use(self) -> None:
        """Say that it is used just now."""
        if not self.is_open:
            when = "after it was closed" if self.opened else "before it was opened"
            self.env.tell("C", f"resource {self.name!r} was used {when}")

    def close(self) -> None:
        """Close it."""
        if not self.is_open:
            when = "twice" if self.opened else "and never opened"
            self.env.tell("U" if self.opened else "R", f"resource {self.name!r} was closed {when}")
        self.is_open = False

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class Env(Connecting, Stopping):
    """The world of one run.

    Parameters:
        seed: decides latencies and whatever else is left open.
        loop: the simulated loop.
        fault: which call of a dependency fails.
        most: items that the load is asked for; -1 for as many as it likes.
    """

    def __init__(self, seed: int, loop: Any, fault: Fault | None = None, most: int = -1) -> None:
        self.rng = random.Random(seed)  # noqa: S311 -- chance that comes again
        self.loop = loop
        self.fault = fault
        self.most = most
        self.wanted = 0
        self.ledger = Ledger()
        self.depended: dict[str, int] = {}
        self.resources: list[Resource] = []
        self.clients: list[asyncio.Task[Any]] = []
        self.client_codes: set[CodeType] = set()
        self.service: Any = None
        self.found: list[Violation] = []
        self.uses_ledger = False
        self.ordered = False
        self.handlers: dict[int, Callable[[], object]] = {}
        self.killed = -1.0
        """When one task was cancelled alone; -1 where none was."""
        self.slow = 1.0
        """By how much each call of a dependency takes longer."""
        self.flaky = 0.0
        """The share of first tries, those with arguments that a dependency has not met, that fails."""
        self.tried: set[tuple[str, str]] = set()
        self.leapt = 0.0
        """Virtual seconds by which time has leapt: no client has waited for them."""

        self.held = False
        """Whether clients keep the connections open that they are done with."""

    # --- the ledger ---------------------------------------------------------------------------------

    def accept(self, item: Any) -> Any:
        """Note that the service has taken an item on; return the item."""
        self.uses_ledger = True
        self.ledger.accept(item, self.loop.time(), sys._getframe(1).f_code)
        return item

    def finish(self, item: Any) -> Any:
        """Note that an item is done, durably; return it."""
        self.uses_ledger = True
        ledger = self.ledger
        ledger.finished[item] = ledger.finished.get(item, 0) + 1
        ledger.order.append(item)
        return item

    def drop(self, item: Any, reason: str = "") -> Any:
        """Note that an item was given up, and that somebody was told, and why; return it."""
        self.uses_ledger = True
        self.ledger.dropped[item] = reason
        return item

    def items(self, count: int) -> range:
        """Return the numbers of the items to hand in: `count` of them, or fewer where a failure is shrunk.

        Parameters:
            count: as many as the load would hand in of itself.
        """
        given = count if self.most < 0 else max(0, min(count, self.most - self.wanted))
        self.wanted += count
        return range(given)

    # --- what a service stands on -------------------------------------------------------------------

    def dep(
        self,
        name: str,
        *,
        latency: tuple[float, float] = (0.001, 0.005),
        result: Callable[..., Any] | None = None,
    ) -> Dependency:
        """Return a dependency.

        Parameters:
            name: what it is called, in the axis `fault` and in messages.
            latency: the least and the most virtual seconds of a call.
            result: returns what a call returns, from its arguments; `None` by default.
        """
        return Dependency(self, name, latency, result)

    def resource(self, name: str) -> Resource:
        """Return a resource that is to be opened, used while it is open, and closed once."""
        found = Resource(self, name)
        self.resources.append(found)
        return found

    # --- who uses it --------------------------------------------------------------------------------

    def client(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, within: float | None = None
    ) -> asyncio.Task[Any]:
        """Run a caller of the service: its task is not the service's, and must get an answer.

        Parameters:
            coro: what the caller does.
            name: of its task.
            within: virtual seconds in which it must have its answer; `None` for any time before the end.
        """
        code, frame = getattr(coro, "cr_code", None), getattr(coro, "cr_frame", None)
        own = frame is not None and self.service is not None and frame.f_locals.get("self") is self.service
        if code is not None and not own:  # what a method of the service makes is the service's
            self.client_codes.update(all_codes(code))
        task: asyncio.Task[Any] = self.loop.create_task(coro, name=name or f"client-{len(self.clients)}")
        self.clients.append(task)
        if within is not None:
            task.add_done_callback(functools.partial(self._answered, self.loop.time() - self.leapt, within))
        return task

    def _answered(self, begun: float, within: float, client: asyncio.Task[Any]) -> None:
        """Judge how long a client had to wait."""
        waited = self.loop.time() - self.leapt - begun
        if waited > within and client not in self.lines.slowed:
            text = f"client {client.get_name()!r} had its answer after {waited:g} s, not within {within:g} s"
            self.tell("Q", text, where=code_of(client))

    def signal(self, number: int) -> None:
        """Deliver a signal to the simulated process; the real one gets none.

        Raises:
            SignalDeath: nobody handles it: the process would have ended.
        """
        if (send := getattr(self.loop, "send_signal", None)) is not None:  # one in real time has none
            send(number)
            return
        handler = self.handlers.get(number)
        if handler is not None:
            self.loop.call_soon(handler)

    # --- telling ------------------------------------------------------------------------------------

    def tell(self, oracle: str, text: str, *, where: str = "", scale: Scale = "violation") -> None:
        """Note what is wrong, at the moment at which it happens."""
        self.found.append(Violation(oracle, text, where, scale))


def code_of(task: asyncio.Task[Any]) -> str:
    """Return the name of what a task runs."""
    return str(getattr(task.get_coro(), "__qualname__", ""))


def all_codes(code: CodeType) -> Iterable[CodeType]:
    """Yield a code object and those of the functions that are defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_codes(constant)
