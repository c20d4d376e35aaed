"""How is a service begun, used and stopped, whatever shape it has?

Each shape is turned into the same three: a coroutine that starts it and gives what the load gets, one that
stops it, and whether it can be started once more.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from pytest_taskleak.storm.env import Env


class Subject(Protocol):
    """One life of a service under a storm."""

    async def start(self) -> Any:
        """Start it; return what the load is given."""
        ...

    async def stop(self) -> None:
        """Stop it."""
        ...

    restarts: bool
    """Whether it can be started again after it was stopped."""
    stops: bool
    """Whether it can be told to stop apart from its root being cancelled."""


Make = Callable[[Env], Subject]


class Started:
    """A service with `start()` and `stop()`."""

    restarts = True
    stops = True

    def __init__(self, service: Any, start: str, stop: str) -> None:
        self.service = service
        self._start = getattr(service, start)
        self._stop = getattr(service, stop)

    async def start(self) -> Any:
        """Start it."""
        await waited(self._start())
        return self.service

    async def stop(self) -> None:
        """Stop it."""
        await waited(self._stop())


class Managed:
    """An async context manager."""

    restarts = False
    stops = True

    def __init__(self, manager: AbstractAsyncContextManager[Any]) -> None:
        self.manager = manager
        self.left: asyncio.Future[None] | None = None
        self.entering: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def start(self) -> Any:
        """Enter it."""
        entered = False
        try:
            given = await self.manager.__aenter__()
            entered = True
        finally:
            self.entering.set_result(entered)
        return given

    async def stop(self) -> None:
        """Leave it, as `async with` does: once it is entered, once, and with what ends the root."""
        if not await asyncio.shield(self.entering):
            return
        if self.left is not None:
            await asyncio.shield(self.left)
            return
        self.left = asyncio.get_running_loop().create_future()
        try:
            await self.manager.__aexit__(*sys.exc_info())
        finally:
            self.left.set_result(None)


class Grouped:
    """A main coroutine, mostly with a `TaskGroup`, that runs until it is cancelled."""

    restarts = False
    stops = True

    def __init__(self, main: Callable[..., Awaitable[Any]], env: Env) -> None:
        self.main = main
        self.env = env
        self.task: asyncio.Task[Any] | None = None

    async def start(self) -> Any:
        """Begin it."""
        self.task = asyncio.ensure_future(self.main())
        return self.task

    async def stop(self) -> None:
        """Cancel it, and wait for its end."""
        task = self.task
        if task is None:
            return
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise


async def waited(value: Any) -> Any:
    """Return a value, or what it comes to."""
    return await value if inspect.isawaitable(value) else value


async def ended_all(stops: Sequence[asyncio.Future[Any]]) -> None:
    """Wait for stops that others have begun."""
    left = [stop for stop in stops if not stop.done()]
    if left:
        await asyncio.wait(left)


def maker(target: Any, *, start: str = "start", stop: str = "stop") -> Make:
    """Return what makes a fresh service for each run.

    Parameters:
        target: a class or a function that returns a service; it may take the environment.
        start: the name of the method that starts it.
        stop: the name of the method that stops it.

    Raises:
        TypeError: it is nothing that can be started and stopped.
    """
    if not callable(target):
        raise TypeError(
            f"shutdown_storm: the service must be made anew for each run: give a class or a function that "
            f"returns one - got {target!r}"
        )
    takes = takes_env(target)
    if inspect.iscoroutinefunction(target):
        return lambda env: Grouped((lambda: target(env)) if takes else target, env)

    def make(env: Env) -> Subject:
        made = target(env) if takes else target()
        if hasattr(made, start) and hasattr(made, stop):
            return Started(made, start, stop)
        if isinstance(made, AbstractAsyncContextManager) or hasattr(made, "__aenter__"):
            return Managed(made)
        raise TypeError(
            f"shutdown_storm: {type(made).__qualname__} has neither {start}() and {stop}() nor __aenter__; "
            "name its methods with start= and stop="
        )

    return make


def takes_env(target: Any) -> bool:
    """Tell whether a class or function takes one argument that must be given: the environment."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) == 1


def takes_two(load: Any) -> bool:
    """Tell whether a load takes the environment besides the service."""
    try:
        return len(inspect.signature(load).parameters) > 1
    except (TypeError, ValueError):
        return False
