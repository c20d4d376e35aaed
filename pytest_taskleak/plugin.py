"""Which pytest hooks lead to which calls of the engine?  A table of contents."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_taskleak import hooks, options, reading
from pytest_taskleak.adapt import pytest_, xdist
from pytest_taskleak.adapt.code import FILES
from pytest_taskleak.detectors import built_in
from pytest_taskleak.diagnostics import CODES
from pytest_taskleak.engine.canary import blind
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.patch import PATCHES
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.fixtures import taskleak
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.phases import Phases
from pytest_taskleak.report.terminal import Facts, Summary
from pytest_taskleak.state import POLICY, READER, WATCH
from pytest_taskleak.telling import Telling

__all__ = ["taskleak"]


def pytest_addoption(parser: pytest.Parser) -> None:
    options.register(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    for marker in options.MARKERS:
        config.addinivalue_line("markers", marker)
    more = [d for found in config.hook.pytest_taskleak_detectors(config=config) for d in found or ()]
    detectors = {d.kind: d for d in (*built_in(), *more)}
    codes = [*CODES, *(code for d in more for code in d.titles if code not in CODES)]
    reader = config.stash[READER] = reading.Reader(tuple(detectors), codes)
    policy = reader.policy(config)
    watcher = Watcher(config, tuple(detectors.values()), policy)
    config.pluginmanager.register(watcher, "taskleak-collection")
    if policy.mode != "off":
        watcher.start()


class Watcher:
    """Starts the watch as soon as something wants it: the mode, a marker or the fixture."""

    def __init__(self, config: pytest.Config, detectors: tuple[Any, ...], policy: Policy) -> None:
        self.config = config
        self.detectors = detectors
        self.policy = policy

    def start(self) -> None:
        """Watch this session; on xdist's controller only tell what the workers found."""
        config = self.config
        telling = Telling(config, reading.verbosity(config))
        rules = [str(rule) for rule in self.policy.rules] if self.policy.mode != "off" else []
        summary = Summary(
            config, header=self.header, rules=rules, facts=self.facts, verbosity=telling.verbosity
        )
        config.pluginmanager.register(summary, "taskleak-summary")
        if xdist.is_controller(config):
            telling.begin()
            return
        watch = Watch(self.detectors, self.policy, root=str(config.rootpath), consult=telling.consult)
        config.stash[WATCH] = watch
        begin(watch)
        config.add_cleanup(watch.stop)
        missed = blind(watch)
        if missed:
            raise pytest.UsageError(
                f"taskleak: TL902 a planted {missed[0]} was not seen, so a green run would mean nothing; "
                f"what else patches it? (taskleak_detect = -{missed[0]} runs without)"
            )
        config.pluginmanager.register(Hooks(watch, telling, config), "taskleak-hooks")

    def header(self) -> list[str]:
        """Return what is watched, and what cannot be."""
        policy = self.policy
        if policy.mode == "off":
            return ["taskleak: watching only what asks for it by marker or fixture"]
        kinds = ", ".join(f"{d.kind}s" for d in self.detectors if d.kind in policy.detect)
        lines = [f"taskleak: {policy.mode}; watching {kinds}; grace {policy.grace:g} s"]
        return lines + [f"taskleak: not seen here: {what}" for what in PATCHES.missing()]

    def facts(self) -> Facts | None:
        """Return what this process can say at its end."""
        watch = self.config.stash.get(WATCH, None)
        if watch is None:
            return None
        return {"used": sorted(watch.used), "adopted": watch.claims.adopted}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        reader, wanted = self.config.stash[READER], False
        for item in items:
            policy = reader.marked(item, self.policy)
            if policy is not None:
                item.stash[POLICY] = policy
                wanted |= policy.mode != "off"
            wanted |= "taskleak" in getattr(item, "fixturenames", ())
        FILES.claim({str(item.path) for item in items})
        if wanted and not self.config.pluginmanager.has_plugin("taskleak-summary"):
            self.start()


class Hooks:
    """The phases of tests and fixtures, while somebody watches."""

    def __init__(self, watch: Watch, telling: Telling, config: pytest.Config) -> None:
        self.watch = watch
        self.telling = telling
        self.config = config
        reader = config.stash[READER]
        self.phases = Phases(watch, lambda node: reader.marked(node, watch.policy))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        self.phases.open_test(item, item.stash.get(POLICY, None))
        self.telling.item = item
        yield
        if self.phases.fixtures:
            self.phases.used(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        try:
            yield
        except pytest.skip.Exception:
            raise
        except BaseException:
            self.call_ended(item, failed=True)
            raise
        self.call_ended(item, failed=pytest_.own_failure(item))

    def call_ended(self, item: pytest.Item, *, failed: bool) -> None:
        """Judge a test at the end of its call where that is possible; a failed one gets a note."""
        self.phases.failed = failed
        self.telling.failed_call(failed=failed)
        self.telling.tell(item, "call", self.phases.call_ended(item), raising=not failed, broken=failed)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        try:
            yield
        except BaseException:
            self.finish(item, failed=True)
            raise
        self.finish(item, failed=False)

    def finish(self, item: pytest.Item, *, failed: bool) -> None:
        """End a test: tell what it left, and what fixtures left that ended with it."""
        phases = self.phases
        verdict = phases.close_test()
        self.telling.tell(item, "teardown", verdict, raising=not failed, broken=failed or phases.failed)
        self.telling.late(self.watch)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        return (yield from self.phases.setup_fixture(fixturedef, request))

    @pytest.hookimpl(trylast=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        phases = self.phases
        phases.end_fixture(fixturedef)
        for scope in phases.due():
            self.judge_fixture(scope)

    def judge_fixture(self, scope: Any) -> None:
        """Judge an ended fixture, and the test with the last function-scoped one of the user."""
        phases = self.phases
        verdict = self.watch.close(scope)
        if phases.test is not None and scope.user and not phases.teardowns:
            phases.found += self.watch.close(phases.test, final=False)
        if verdict and phases.test is not None and scope.nodeid == phases.test.nodeid:
            phases.found += verdict
        elif verdict:
            self.telling.deliver(scope.nodeid or phases.last, verdict)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        for scope in self.phases.ended:
            self.judge_fixture(scope)
        self.telling.last(self.watch)
