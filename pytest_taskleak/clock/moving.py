"""How does a coroutine, or a test without a loop, move time by hand?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.clock.force import Force
from pytest_taskleak.loops.roles import NEVER
from pytest_taskleak.loops.steps import Step
from pytest_taskleak.timing import pause as sleep

Result = TypeVar("Result")


class Moving(Generic[Result]):
    """What moving the clock returns: to be awaited in a coroutine, done already where no loop runs.

    Parameters:
        waits: the future of the running loop, or what a task of trio waits for; `None` if it is done.
        result: what is returned if it is done.
        leaves: called when nobody waits any more.
    """

    def __init__(self, waits: Any, result: Any, leaves: Callable[[], None]) -> None:
        self._waits = waits
        self.result = result
        self._leaves = leaves

    def __await__(self) -> Generator[Any, None, Result]:
        if self._waits is not None:
            try:
                self.result = yield from self._waits
            finally:
                self._leaves()
        result: Result = self.result
        return result


class Mover:
    """Moves the time of a clock once.

    Parameters:
        force: the clock.
    """

    def __init__(self, force: Force) -> None:
        self.force = force
        self.time = force.time

    def to(self, when: float) -> Moving[None]:
        """Move to a time."""
        return self._start(lambda done: Step(when, done), reached=False)

    def single(self) -> Moving[float | None]:
        """Move to the next timer."""
        return self._start(lambda done: Step(NEVER, done, single=True), reached=True)

    def until_idle(self, limit: int) -> Moving[None]:
        """Move on as long as there is a timer that counts."""
        counts = self.force.foreground
        return self._start(lambda done: Step(NEVER, done, limit=limit, counts=counts), reached=False)

    def _start(self, make: Callable[[Callable[[Step], None]], Step], *, reached: bool) -> Moving[Any]:
        trio = self.force.world.trio
        run = None if trio is None else trio.current()
        if run is not None:
            return Moving(run.wish(make, told=reached), None, _nothing)
        loop = asyncio_.running_loop()
        if loop is None:
            return Moving(None, self._here(make, reached), _nothing)
        self.force.world.attach_running(loop)
        future: asyncio.Future[Any] = loop.create_future()

        def done(step: Step) -> None:
            if asyncio_.running_loop() is loop:
                settle(future, step, reached)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(settle, future, step, reached)

        step = make(done)
        self.time.steps.add(step)
        return Moving(future, None, lambda: self.time.steps.drop(step))

    def _here(self, make: Callable[[Callable[[Step], None]], Step], reached: bool) -> Any:
        """Move time from a thread that runs no loop: by running the loop that rests, else by itself."""
        idle = [d.loop for d in self.force.world.drivers.values() if asyncio_.can_turn(d.loop)]
        if idle:

            async def move() -> Any:
                return await self._start(make, reached=reached)

            return idle[-1].run_until_complete(move())
        step = make(_nothing)
        caller = Caller(step)
        self.time.steps.add(step)
        self.time.join(caller)
        try:
            while not step.ended:
                self.time.rest(caller, caller.wait)
        finally:
            self.time.leave(caller)
            self.time.steps.drop(step)
        if step.error is not None:
            raise step.error
        return step.reached if reached else None


class Caller:
    """A thread without a loop that waits until time has been moved; a participant meanwhile."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.ident = threading.get_ident()
        self.resting = False

    def due(self) -> float:
        """Return that it waits for no time of its own."""
        return NEVER

    def stirs(self) -> bool:
        """Tell whether time has been moved."""
        return self.step.ended

    def wake(self) -> None:
        """Do nothing: it looks again by itself."""

    def wait(self, pause: float) -> bool:
        """Wait in real time."""
        sleep(pause)
        return self.step.ended


def settle(future: asyncio.Future[Any], step: Step, reached: bool) -> None:
    """Tell the coroutine that waits that time has been moved."""
    if future.done():
        return
    if step.error is not None:
        future.set_exception(step.error)
    else:
        future.set_result(step.reached if reached else None)


def _nothing(*_: Any) -> None:
    """Do nothing: somebody looks for himself."""
