"""How does a test ask for a shutdown storm, and what does it fail with?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.engine.unwatched import unwatched
from pytest_taskleak.report import storm_text
from pytest_taskleak.report.storm_words import quoted
from pytest_taskleak.state import SEED, STORM, STORMS
from pytest_taskleak.storm import telling
from pytest_taskleak.storm.adapters import Make, maker
from pytest_taskleak.storm.asgi import asgi
from pytest_taskleak.storm.asking import limited, one_of_modes, real_replayed, shrunk
from pytest_taskleak.storm.catalogue import Choice, chosen
from pytest_taskleak.storm.forking import ForkedSweep
from pytest_taskleak.storm.needs import real
from pytest_taskleak.storm.plan import Limits
from pytest_taskleak.storm.real import RealStorm
from pytest_taskleak.storm.real_run import AXES as IN_REAL_TIME
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.scenarios import perform, replay
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.tokens import TokenError
from pytest_taskleak.storming_parts import Hooks, Progress, properties, without_part

NAME = "shutdown_storm"


class ShutdownStorm:
    """The `shutdown_storm` fixture's value: call it with a service and a load.

    Parameters:
        item: the test.
        budget: real seconds for a sweep; 0 for as long as it takes.
        token: the moment to run again, instead of a sweep.
        seed: the schedule; `None` for those of the preset.
        part: which of how many parts of the runs are this test's.
    """

    def __init__(
        self,
        item: pytest.Item,
        *,
        budget: float,
        token: str,
        seed: int | None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self._item = item
        self._part = part
        self._budget = budget
        self._token = token
        self._seed = seed
        self.reports: list[StormReport] = []

    def __call__(
        self,
        service: Any,
        load: Callable[..., Any] | None = None,
        *,
        scenarios: str | Iterable[str] = "default",
        seeds: Iterable[int] | None = None,
        deadline: float | None = None,
        grace: float | None = None,
        linger: float | None = None,
        live_on: float | None = None,
        done: Callable[[Any], Any] | None = None,
        start: str = "start",
        stop: str = "stop",
        mode: str = "sim",
        moments: int = 40,
        loop_factory: Callable[[], Any] | None = None,
        budget: float | None = None,
        name: str | None = None,
    ) -> StormReport:
        """Stop a service at every possible moment, and fail the test if anything is lost, stuck or left.

        Parameters:
            service: class or function that returns a service, with `start()` and `stop()` or an async context
                manager; or a coroutine function that runs until it is cancelled. It may take the `Env`.
            load: hands in work: takes the service, and the environment if it takes two.
            scenarios: `quick`, `default` or `thorough`; or names of axes and of the catalogue.
            seeds: schedules; by default those of the preset.
            deadline: seconds that a stop may take; virtual, but with `mode="real"`, as all of these.
            grace: seconds for which something may outlive a stop.
            linger, live_on: seconds for which the service runs after the load, and the world after the stop.
            done: returns the items that are done, from the service; where the ledger is not told.
            start, stop: the names of the methods that do.
            mode: `sim`: every moment in virtual time; `fork`: the same, each in a process forked there;
                `real`: random moments in real time, with real sockets, threads and processes.
            moments, loop_factory: with `mode="real"`: so many; makes the loop.
            budget: real seconds; by default `--taskleak-budget`.
            name: of the service, in reports.

        Raises:
            pytest.fail.Exception: something is wrong; the message tells each cause with its replay.
            TypeError, ValueError: an argument is not allowed.
            RuntimeError: a loop is running: call it in a plain function.
        """
        __tracebackhide__ = True
        times = some(deadline=deadline, grace=grace, linger=linger, live_on=live_on)
        make = maker(service, start=start, stop=stop)
        label = name or str(getattr(service, "__qualname__", type(service).__qualname__))
        choice = chosen(scenarios)
        if seeds is not None:
            choice = replace(choice, seeds=tuple(seeds))
        if one_of_modes(mode) != "real":
            limits = limited(Limits(), times)
            return self.sweep(
                make, load, label, choice, limits, done=done, budget=budget, forks=mode == "fork"
            )
        factory = {} if loop_factory is None else {"loop_factory": loop_factory}
        return self._real(
            make, load, label, choice, times, moments=moments, done=done, budget=budget, **factory
        )

    def _real(
        self,
        make: Make,
        load: Callable[..., Any] | None,
        label: str,
        choice: Choice,
        times: dict[str, float],
        *,
        budget: float | None,
        **options: Any,
    ) -> StormReport:
        """Try random moments in real time; see `__call__`."""
        __tracebackhide__ = True
        axes = [axis for axis in choice.axes if axis in IN_REAL_TIME]
        storm = RealStorm(make, load, label, axes, seed=self._seed or 0, **options)
        storm.limits = limited(storm.limits, times)
        storm.budget = (self._budget if budget is None else budget) or None
        storm.progress = Progress(self._item.config).told
        if self._token:
            return self._told(lambda: real_replayed(storm, self._token))

        def swept() -> StormReport:
            report = storm.sweep()
            report.left_out.update(real(choice))
            return report

        return self._told(swept)

    def taskgroup(
        self, main: Callable[..., Any], load: Callable[..., Any] | None = None, **options: Any
    ) -> StormReport:
        """Sweep a main coroutine, mostly with a `TaskGroup`; see `__call__` for the options."""
        __tracebackhide__ = True
        if not inspect.iscoroutinefunction(main):
            raise TypeError(f"shutdown_storm.taskgroup: takes a coroutine function - got {main!r}")
        return self(main, load, **options)

    def asgi(
        self,
        app: Any,
        requests: Iterable[Any],
        *,
        scenarios: str | Iterable[str] = "quick",
        deadline: float = 10.0,
        budget: float | None = None,
        name: str | None = None,
        **options: Any,
    ) -> StormReport:
        """Drive an ASGI app in process, as a server would, and stop that at every moment.

        Parameters:
            app: an ASGI 3 app, or what returns one for each run.
            requests: each as `(method, path)`, `(method, path, body)` or `Request`.
            scenarios: see `__call__`.
            deadline: virtual seconds that a stop may take.
            budget: see `__call__`.
            name: of the app, in reports.
            options: of `pytest_taskleak.storm.asgi.asgi`: concurrency, arrivals, rate, grace, stored ...

        Raises: see `__call__`.
        """
        __tracebackhide__ = True
        storm = asgi(app, requests, **options)
        return self.sweep(
            storm.make,
            storm.load,
            name or storm.name,
            chosen(scenarios),
            Limits(deadline=deadline),
            done=storm.done,
            budget=budget,
        )

    def sweep(
        self,
        make: Make,
        load: Callable[..., Any] | None,
        label: str,
        choice: Choice,
        limits: Limits,
        *,
        done: Callable[[Any], Any] | None = None,
        budget: float | None = None,
        forks: bool = False,
    ) -> StormReport:
        """Sweep what `make` makes; for what turns other things into services.

        Parameters:
            make: makes a `Subject` for each run.
            load: what is handed in.
            label: the name of the service.
            choice: the scenarios.
            limits: virtual times.
            done: see `__call__`.
            budget: see `__call__`.
            forks: whether each moment is a process of its own.

        Raises: see `__call__`.
        """
        __tracebackhide__ = True
        seeds = choice.seeds if self._seed is None else (self._seed,)
        seconds = self._budget if budget is None else budget
        progress = Progress(self._item.config).told
        kind = ForkedSweep if forks else Sweep
        sweep = kind(
            make, load, label, choice.axes, seeds, limits, done, seconds or None, progress, self._part
        )  # fmt: skip
        if self._token:
            return self._told(lambda: replay(sweep, self._token))
        return self._told(lambda: shrunk(sweep, perform(choice, sweep)))

    def _told(self, storm: Callable[[], StormReport]) -> StormReport:
        """Make a storm, tell what it has found, and fail the test if that is so."""
        __tracebackhide__ = True
        if asyncio_.running_loop() is not None:
            raise RuntimeError("shutdown_storm: a loop is running here; call it in a plain `def test_...`")
        try:
            with unwatched():
                report = storm()
        except TokenError as error:
            pytest.fail(f"taskleak: {error} (--taskleak-replay)", pytrace=False)
        self.reports.append(report)
        item = self._item
        told = item.stash.setdefault(STORMS, [])
        told.append(telling.document(report, nodeid=item.nodeid))
        item.user_properties += properties(told[-1], len(told))
        whole = without_part(item.nodeid)
        verbosity = item.config.get_verbosity()
        lines = storm_text.lines(report, replay=f"pytest {quoted(whole)}", verbosity=verbosity)
        if report.interrupted:
            Progress(item.config).whole(lines)
            raise KeyboardInterrupt
        if report.failing:
            pytest.fail("\n".join(lines), pytrace=False)
        item.add_report_section("call", "shutdown storm", "\n".join(lines))
        return report


def some(**times: float | None) -> dict[str, float]:
    """Return those of some arguments that were given."""
    return {key: value for key, value in times.items() if value is not None}


def storm_for(request: pytest.FixtureRequest) -> ShutdownStorm:
    """Return the storm of the test that asks for it."""
    return storm_for_item(request.node, getattr(request, "param", (0, 1)))


def storm_for_item(item: Any, part: tuple[int, int] = (0, 1)) -> ShutdownStorm:
    """Return the storm of a test, or a part of it."""
    config = item.config
    if not config.pluginmanager.has_plugin("taskleak-storms"):
        config.pluginmanager.register(Hooks(), "taskleak-storms")
    budget, token = config.stash.get(STORM, (0.0, ""))
    return ShutdownStorm(item, budget=budget, token=token, seed=config.stash.get(SEED, None), part=part)
