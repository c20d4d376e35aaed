"""When is the fake clock in force during a test run, and what is told of it?

From the test's call to its end, and in the setup and teardown of fixtures that ask for it; everything else of
pytest lives in real time.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.clock.face import FakeClock, force_of
from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.state import CLOCK, SEED

NAME = "fake_clock"


def begin(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Prepare the tests that are marked, and register what puts the clock in force.

    Raises:
        pytest.UsageError: a marker says what is not allowed.
    """
    for item in items:
        if any(item.iter_markers(NAME)):
            options_of(item)
            names = getattr(item, "fixturenames", None)
            if names is not None and NAME not in names:
                names.insert(0, NAME)
    ready(config)


def ready(config: pytest.Config) -> None:
    """Register what puts the clock in force, once."""
    if not config.pluginmanager.has_plugin("taskleak-clock"):
        config.pluginmanager.register(Hooks(), "taskleak-clock")


def options_of(item: pytest.Item) -> dict[str, Any]:
    """Return what the markers of a test set; the nearest wins.

    Raises:
        pytest.UsageError: a name is unknown or a value is not allowed.
    """
    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers(NAME))):
        where = f"taskleak: marker {NAME} of {item.nodeid}"
        if mark.args:
            raise pytest.UsageError(f"{where} takes names with values, as auto=False - got {mark.args!r}")
        options.update(mark.kwargs)
        try:
            Settings.of(dict(mark.kwargs), where)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None
    return options


def clock_for(request: pytest.FixtureRequest) -> FakeClock:
    """Return the clock of a test, not in force yet."""
    ready(request.config)
    item = request.node
    options = options_of(item)
    seed = request.config.stash.get(SEED, None)
    if seed is not None:
        options["seed"] = seed
    clock = FakeClock(**options)
    if os.environ.get("PYTEST_CURRENT_TEST", "").endswith("(call)"):  # asked for by getfixturevalue
        clock.__enter__()
        request.addfinalizer(lambda: clock.__exit__(None, None, None))
    else:
        item.stash[CLOCK] = clock
    return clock


class Hooks:
    """Puts the clock in force where a test or a fixture asks for it."""

    def __init__(self) -> None:
        self.teardowns: dict[Any, ExitStack] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        clock = item.stash.get(CLOCK, None)
        if clock is None:
            # A test may ask for it while it runs; the fixture then puts it in force by itself.
            return (yield)
        force = force_of(clock)
        original: Any = getattr(item, "obj", None)
        bordered = inspect.iscoroutinefunction(original)
        if bordered:
            item.obj = border(original, clock)  # type: ignore[attr-defined]
        try:
            with force.around():
                return (yield)
        finally:
            if bordered:
                item.obj = original  # type: ignore[attr-defined]
            tell(item, clock)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        clock = clock_of(fixturedef, request)
        if clock is None:
            return (yield)
        with force_of(clock).around():
            value = yield
        fixturedef.addfinalizer(functools.partial(self.enter, fixturedef, clock))
        return value

    def enter(self, fixturedef: Any, clock: FakeClock) -> None:
        """Put the clock in force for the teardown of a fixture."""
        stack = self.teardowns[fixturedef] = ExitStack()
        stack.enter_context(force_of(clock).around())

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        stack = self.teardowns.pop(fixturedef, None)
        if stack is not None:
            stack.close()


def clock_of(fixturedef: Any, request: Any) -> FakeClock | None:
    """Return the clock that a fixture asks for by an argument of that name."""
    if NAME not in fixturedef.argnames or fixturedef.argname == NAME:
        return None
    clock: FakeClock | None = request.node.stash.get(CLOCK, None)
    return clock


def border(function: Callable[..., Any], clock: FakeClock) -> Callable[..., Any]:
    """Return a coroutine function that raises the clock's own error in place of a cancellation by it."""

    @functools.wraps(function)
    async def test(*args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        loop, task, force = asyncio_.running_loop(), asyncio_.running_task(), force_of(clock)
        if loop is None:  # trio runs it
            return await function(*args, **options)
        force.world.attach_running(loop)
        force.others(loop, task)
        with force.border(task):
            return await function(*args, **options)

    code = getattr(inspect.unwrap(function), "__code__", None)
    made: Any = test
    if code is not None:  # reports tell a task by the name in its code
        made.__code__ = made.__code__.replace(co_name=code.co_name, co_qualname=code.co_qualname)
    return test


def tell(item: pytest.Item, clock: FakeClock) -> None:
    """Add to a test's report what the clock did."""
    stats, seed = clock.stats, clock.seed
    if not (stats.jumps or stats.real_wait or stats.notes or seed is not None):
        return
    lines = [str(stats), *stats.notes]
    if seed is not None:
        lines.append(f"seed {seed}, trace {clock.trace}: to run it again: --taskleak-seed={seed}")
    item.add_report_section("call", "fake clock", "\n".join(lines))
