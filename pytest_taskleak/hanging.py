"""What happens when a phase of a test hangs: who is told, and how does the session go on?

First everything is looked at and printed.  Then the test's task gets an exception where it waits, as if
it was cancelled; then the thread is interrupted; at last the process ends, naming the test.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import debugger, pytest_, pytest_timeout, running, trio
from pytest_taskleak.diagnostics import Timeout
from pytest_taskleak.dumping import Console, look, look_aside, ready
from pytest_taskleak.engine.watchdog import SIGNALS, Alarm, Interrupter, Watchdog
from pytest_taskleak.model import Verdict

if TYPE_CHECKING:
    from pytest_taskleak.diagnosis import Graph

KEY = "taskleak"
SHORTEST_BOUND = 1.0
"""Seconds after which the next, harsher way is tried; a tenth of a longer timeout."""
TRIES = 3


class Cancelled(Timeout, asyncio.CancelledError):
    """What a suspended task gets: a cancellation for its own code, a failure for pytest."""

    __module__ = "builtins"


class Hanging:
    """Bounds each phase of each test.

    Parameters:
        config: pytest's configuration.
        console: where the look is printed.
        seconds: how long a phase may take.
        signals: with one of these a thread is interrupted, the first that nobody handles.
    """

    def __init__(
        self, config: pytest.Config, console: Console, seconds: float, *, signals: Sequence[str] = SIGNALS
    ) -> None:
        self.console = console
        self.seconds = seconds
        self.root = str(config.rootpath)
        self.ident = threading.get_ident()
        self.watchdog = Watchdog()
        self.interrupter = Interrupter(failure, Timeout, self.inside, signals=signals)
        self.graphs: dict[tuple[str, str], Graph] = {}
        config.add_cleanup(self.interrupter.stop)
        config.add_cleanup(self.watchdog.stop)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        return (yield from self.bounded(item, "setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        return (yield from self.bounded(item, "call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        return (yield from self.bounded(item, "teardown"))

    @pytest.hookimpl
    def pytest_enter_pdb(self) -> None:
        self.watchdog.disarm()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self.attach(item, call, report)
        return report

    def attach(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Put the wait-for graph of a phase that hung on its report."""
        graph = self.graphs.pop((item.nodeid, call.when), None) if self.graphs else None
        if graph:
            data = getattr(report, KEY, None) or {**Verdict().to_json(), "leaked": False}
            setattr(report, KEY, {**data, "graphs": [*data["graphs"], graph.to_json()]})

    def bounded(self, item: pytest.Item, when: str) -> Generator[None, None, None]:
        """Run a phase under a deadline; what has ended late has failed, whatever came of it."""
        alarm = Alarm(self.seconds, partial(self.steps, item, when))
        self.watchdog.arm(alarm)
        rest = ""
        try:
            try:
                yield
            finally:
                self.watchdog.disarm()
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except BaseException as error:  # the interruption itself, or what became of it
            if not alarm.text:
                raise
            rest = meanwhile(error)
        if alarm.text:
            pytest_.forget_failure(item)
            raise failure(alarm.text + rest)

    # --- what is done at the deadline, in the watchdog's thread -----------------------------------

    def steps(self, item: pytest.Item, when: str, alarm: Alarm, reason: str = "") -> Iterator[float]:
        """Look, then end the phase by ever harsher means; yield the seconds that each gets.

        Parameters:
            reason: why it hangs, where that is known and not only that it takes long.
        """
        top = running.frames().get(self.ident)
        if debugger.is_active(top):
            return
        self.look(item, when, alarm, top, reason)
        del top
        if alarm.over:
            alarm.text = ""  # it has ended while it was looked at
            return
        self.console.write(f"timeout: {item.nodeid}", alarm.text)
        bound = max(SHORTEST_BOUND, alarm.seconds / 10)
        if self.soften(alarm):
            yield bound
        for attempt in range(TRIES):
            self.interrupter.strike(alarm, attempt)
            yield bound
        self.give_up(item, when)

    def look(
        self, item: pytest.Item, when: str, alarm: Alarm, top: FrameType | None, reason: str = ""
    ) -> None:
        """Write down what everything waits for."""
        fixture = pytest_.fixture_in(top)
        where = f"its {when}, in {fixture}," if fixture else f"its {when}"
        late = f"hangs in {where} for more than {alarm.seconds:g} s"
        headline = f"TL903 {item.name} {f'can never end {where}, {reason}' if reason else late}"
        seen = look(self.root, self.ident)
        self.graphs[item.nodeid, when] = seen.graph
        alarm.text = "\n".join([f"{headline}: {seen.culprit}" if seen.culprit else headline, *seen.lines])

    def soften(self, alarm: Alarm) -> bool:
        """Let the loop that waits for the test's task throw into it; tell whether there is one."""
        tops = running.frames()
        top = tops.get(self.ident)
        loop, main = running.turning(top) or (None, None)
        if loop is None:
            runner = trio.runner_for(self.ident, tops)
            return runner is not None and trio.throw(runner, lambda: self.thrown(alarm, Timeout))
        if main is None or not running.is_idle(top):
            return False
        try:
            loop.call_soon_threadsafe(self.release, alarm, loop, main)
        except RuntimeError:  # it was closed just now
            return False
        return True

    @staticmethod
    def release(alarm: Alarm, loop: Any, main: Any) -> None:
        """Throw into the task at the end of the chain; anyio's runner would not survive a cancellation."""
        task = running.test_of(loop, main)
        failure = Hanging.thrown(alarm, Cancelled if task is main else Timeout)
        if failure is not None:
            running.wake(running.leaf_of(task), failure)

    @staticmethod
    def thrown(alarm: Alarm, kind: type[Timeout]) -> Timeout | None:
        """Return what is thrown into a task, `None` if the phase has ended meanwhile."""
        return None if alarm.over else kind(alarm.text, pytrace=False)

    def inside(self, alarm: Alarm) -> bool:
        """Do the same from a signal handler: uvloop would swallow what that raises."""
        loop = running.hidden_here()
        main = None if loop is None else running.main_of(loop)
        if main is not None:
            loop.call_soon(self.release, alarm, loop, main)
        return main is not None

    def give_up(self, item: pytest.Item, when: str) -> None:
        """End the process: nothing could interrupt the thread."""
        self.console.flush()
        self.console.write(f"timeout: {item.nodeid}", "\n".join(look(self.root, self.ident).lines))
        self.console.say(f"{item.nodeid} could not be stopped in its {when}; the process ends with status 1")
        os._exit(1)


class Neighbour:
    """Says why a test hangs before pytest-timeout deals with it.

    Parameters:
        config: pytest's configuration.
        console: where the look is printed.
    """

    def __init__(self, config: pytest.Config, console: Console) -> None:
        self.console = console
        self.root = str(config.rootpath)
        self.told: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> Generator[None, Any, Any]:
        result = yield
        ready()
        ident = threading.get_ident()
        pytest_timeout.before(item, settings, lambda frame: self.tell(item, settings, ident, frame))
        return result

    def tell(self, item: pytest.Item, settings: Any, ident: int, frame: FrameType | None) -> None:
        """Print what everything waits for."""
        top = frame or running.frames().get(ident)
        if debugger.is_active(top) and not settings.disable_debugger_detection:
            return
        seen = look(self.root, ident) if frame is None else look_aside(self.root, frame)
        headline = f"TL903 {item.name} hangs for more than {settings.timeout:g} s"
        text = "\n".join([f"{headline}: {seen.culprit}" if seen.culprit else headline, *seen.lines])
        self.told[item.nodeid] = text
        self.console.write(f"timeout: {item.nodeid}", text)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed and item.nodeid in self.told:
            report.sections.append((KEY, self.told.pop(item.nodeid)))
        return report


def failure(text: str) -> Timeout:
    """Return what is raised."""
    return Timeout(text, pytrace=False)


def meanwhile(error: BaseException) -> str:
    """Name what a test or its fixtures have raised when they were ended."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
    others = [e for e in inner if not isinstance(e, Timeout | asyncio.CancelledError)]
    names = dict.fromkeys(type(e).__name__ for e in others)
    return f"\nraised when it was ended: {', '.join(names)}" if names else ""


def begin(config: pytest.Config, seconds: float) -> None:
    """Bound the phases of the tests that run in this process."""
    ready()
    config.pluginmanager.register(Hanging(config, Console.of(config), seconds), "taskleak-hanging")


def beside(config: pytest.Config) -> None:
    """Take part in what pytest-timeout does, where that is loaded."""
    manager = config.pluginmanager
    if pytest_timeout.is_loaded(config) and not manager.has_plugin("taskleak-neighbour"):
        manager.register(Neighbour(config, Console.of(config)), "taskleak-neighbour")
