"""What does a run see of a real loop: the same face as that of the simulated one, in real time?

Whatever the service makes through its loop is noted there: tasks, timers, calls of pools and handlers of
signals.  The loop may be of any make; only what asyncio documents is used of it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.adapt.hermetic import frame_of_caller
from pytest_taskleak.adapt.stepping import place
from pytest_taskleak.timing import backoff

POLL = 0.02
"""Real seconds after which a wait looks whether its end has been moved."""
SETTLE = 0.1
"""Real seconds in which what is on its way out may end after a stop; a quiet service takes none of it."""


@dataclass(frozen=True, slots=True)
class Armed:
    """A timer that is armed.

    Parameters:
        handle: asyncio's.
        birth: where it was armed.
        callback: what it will call.
    """

    handle: Any
    birth: Any
    callback: Any

    @property
    def _callback(self) -> Any:
        return self.callback

    def when(self) -> float:
        """Return the loop's time at which it is due."""
        due: float = self.handle.when()
        return due


class World:
    """A real loop as a run sees it; whatever is not told here is the loop's own.

    Parameters:
        loop: the real loop.
        handlers: gets the handlers of signals: the process itself is left alone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, handlers: dict[int, Callable[[], object]]) -> None:
        self.real: Any = loop
        self.until = float("inf")
        self.told: list[dict[str, Any]] = []
        self.calls: dict[object, Any] = {}
        self.tasks: list[asyncio.Task[Any]] = []
        self.births: list[Any] = []
        self.expired: list[Any] = []
        self.frozen: Any = None
        self.point = 0
        self.quiet: Callable[[], bool] = lambda: True
        """Tells whether nothing is on its way out any more."""
        self._timers: dict[int, Armed] = {}
        self._make, self._at, self._later = loop.create_task, loop.call_at, loop.call_later
        self._pool = loop.run_in_executor
        own: Any = loop
        own.create_task = self.create_task
        own.call_at = functools.partial(self._arm, self._at)
        own.call_later = functools.partial(self._arm, self._later)
        own.run_in_executor = self._call
        own.add_signal_handler = lambda number, callback, *args: handlers.__setitem__(
            number, functools.partial(callback, *args)
        )
        own.remove_signal_handler = lambda number: handlers.pop(number, None) is not None
        loop.set_exception_handler(lambda _, context: self.told.append(context))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    # --- what is made -------------------------------------------------------------------------------

    def create_task(self, coro: Any, **options: Any) -> Any:
        """Make a task, and note the line."""
        birth = place(frame_of_caller())
        task = self._make(coro, **options)
        self.tasks.append(task)
        self.births.append(birth)
        return task

    def armed(self) -> list[Armed]:
        """Return the timers that are armed, the next one first."""
        now = self.real.time()
        living = [one for one in self._timers.values() if not one.handle.cancelled() and one.when() > now]
        return sorted(living, key=Armed.when)

    def _arm(self, arm: Any, when: float, callback: Any, *args: Any, **options: Any) -> Any:
        handle = arm(when, callback, *args, **options)
        self._timers[id(handle)] = Armed(handle, place(frame_of_caller()), callback)
        return handle

    def _call(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Run a call of a pool of threads, and note that it is under way until it really ends."""
        if executor is not None and not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            return self._pool(executor, func, *args)
        key, function, begun = object(), called(func), False

        def call() -> Any:
            nonlocal begun
            begun = True
            self.calls[key] = function
            try:
                return func(*args)
            finally:
                self.calls.pop(key, None)

        self.calls[key] = function
        future = self._pool(executor, call)
        future.add_done_callback(lambda _: begun or self.calls.pop(key, None))  # it never began
        return future

    # --- running ------------------------------------------------------------------------------------

    def run(self, awaited: Any, *, until: float, most: int = 0) -> str:
        """Run until a future is done; return why it ended: `done` or `late`.

        Parameters:
            awaited: the future; `None` runs for the whole time.
            until: the loop's time at which this ends in any case; `until` may be moved meanwhile.
            most: not counted here.
        """
        self.until = until
        return str(self._drive(self._wait(awaited)))

    def turn(self, times: int) -> None:
        """Let what is on its way out end: some turns, and then for as long as it takes, up to `SETTLE`."""
        self._drive(self._turn(times))

    def thaw(self) -> None:
        """Do nothing: nothing is frozen in real time."""

    def _drive(self, coro: Any) -> Any:
        return self.real.run_until_complete(self._make(coro))

    async def _wait(self, awaited: Any) -> str:
        while (left := self.until - self.real.time()) > 0:
            if awaited is None:
                await asyncio.sleep(min(left, POLL))
            elif awaited.done():
                return "done"
            else:
                await asyncio.wait([awaited], timeout=min(left, POLL))
        return "done" if awaited is not None and awaited.done() else "late"

    async def _turn(self, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)
        for pause in backoff(SETTLE):
            if self.quiet():
                return
            await asyncio.sleep(pause)


def called(func: Any) -> Any:
    """Return the function of the user in a call of a pool: `to_thread` wraps it."""
    while isinstance(func, functools.partial):
        inner = func.args[0] if func.args and isinstance(owner(func.func), contextvars.Context) else func.func
        func = inner
    return func


def owner(method: Any) -> Any:
    """Return whose method it is."""
    return getattr(method, "__self__", None)
