"""Which tests are run again under a storm because a marker says so?

`@pytest.mark.taskleak(storm="quick")` takes the async fixtures of a test as the service and its body as the
load; `@pytest.mark.taskleak(cancel="each")` cancels the body, and each task that it makes, at every await.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from pytest_taskleak.adapt import pytest_
from pytest_taskleak.storm.adapters import Make
from pytest_taskleak.storm.catalogue import Choice, asked
from pytest_taskleak.storm.plan import Limits
from pytest_taskleak.storm.world import WORLD
from pytest_taskleak.storming import ShutdownStorm, storm_for_item

MARK = "taskleak"
EACH = "each"
TWICE = ("stop2",)
"""Axes that stop twice: what a fixture does after its yield cannot be done again."""


class FromFixtures:
    """The async fixtures of a test, as a service.

    Parameters:
        item: the test.
        names: the arguments that async fixtures give, in the order of the test.
    """

    restarts = False
    stops = True

    def __init__(self, item: Any, names: list[str]) -> None:
        self.item = item
        self.names = names
        self.stack = AsyncExitStack()
        self.values: dict[str, Any] = {}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> dict[str, Any]:
        """Set the fixtures up, each once; return their values.  One that fails ends those before it."""
        try:
            for name in self.names:
                await self._value(name)
        except BaseException:
            await self.stack.aclose()
            raise
        finally:
            self.ready.set_result(None)
        return {name: self.values[name] for name in self.names}

    async def stop(self) -> None:
        """Tear them down, the last one first; as pytest does, not while they are set up."""
        await asyncio.shield(self.ready)
        await self.stack.aclose()

    async def _value(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        function = pytest_.async_fixture_of(self.item, name)
        if function is None:
            return pytest_.value_for(self.item, name)
        given = {argument: await self._value(argument) for argument in inspect.signature(function).parameters}
        if inspect.isasyncgenfunction(function):
            value = await self.stack.enter_async_context(asynccontextmanager(function)(**given))
        else:
            value = await function(**given)
        self.values[name] = value
        return value


def begin(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Check what the markers say, and register what runs the tests again.

    Raises:
        pytest.UsageError: a value is not allowed.
    """
    for item in items:
        wish(item)
    if not config.pluginmanager.has_plugin("taskleak-storm-marks"):
        config.pluginmanager.register(Hooks(), "taskleak-storm-marks")


class Hooks:
    """Runs marked tests again, once they have passed."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        result = yield
        wished = wish(item)
        if wished:
            again(item, *wished)
        return result


def wish(item: pytest.Item) -> tuple[tuple[str, ...], str] | None:
    """Return the axes that the markers of a test ask for, and the word for it; the nearest wins.

    Raises:
        pytest.UsageError: a value is not allowed.
    """
    for mark in item.iter_markers(MARK):
        where = f"marker {MARK} of {item.nodeid}"
        if "cancel" in mark.kwargs:
            if mark.kwargs["cancel"] != EACH:
                got = mark.kwargs["cancel"]
                raise pytest.UsageError(f"taskleak: cancel must be {EACH!r} - got {got!r} ({where})")
            return ("kill",), "cancel"
        if "storm" in mark.kwargs:
            axes, _ = asked_in(mark.kwargs["storm"], where)
            return tuple(axis for axis in axes if axis not in TWICE), "storm"
    return None


def asked_in(names: Any, where: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the axes and seeds that a marker asks for.

    Raises:
        pytest.UsageError: there are none of these names.
    """
    try:
        return asked(names)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"taskleak: {error} ({where})") from None


def again(item: pytest.Item, axes: tuple[str, ...], word: str) -> None:
    """Run a test under a storm."""
    __tracebackhide__ = True
    body = pytest_.body_of(item)
    if not inspect.iscoroutinefunction(body):
        raise pytest.UsageError(
            f"taskleak: {word}= needs an async test, and {item.name} is none; use the fixture shutdown_storm"
        )
    parameters = list(inspect.signature(body).parameters)
    simulated = [name for name in parameters if pytest_.async_fixture_of(item, name) is not None]
    plain = {name: pytest_.value_for(item, name) for name in parameters if name not in simulated}
    storm: ShutdownStorm = storm_for_item(item)
    make: Make = lambda env: FromFixtures(item, simulated)  # noqa: E731, ARG005 -- a factory in one line
    with WORLD.dated_as_outside():
        storm.sweep(make, loading(body, plain), item.name, Choice(axes, (0,)), Limits(linger=0.0))


def loading(body: Callable[..., Any], plain: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    """Return the body of a test as a load."""

    def load(given: dict[str, Any]) -> Any:
        return body(**given, **plain)

    load.__code__ = load.__code__.replace(co_qualname=body.__qualname__)
    return load
