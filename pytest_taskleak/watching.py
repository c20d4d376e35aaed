"""What happens at each phase of a test and a fixture, while somebody watches?"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pytest

from pytest_taskleak.adapt import pytest_
from pytest_taskleak.engine.collecting import gather
from pytest_taskleak.engine.losses import LOSSES
from pytest_taskleak.engine.verdicts import NOTHING
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.model import Finding, Verdict
from pytest_taskleak.phases import Phases
from pytest_taskleak.stalling import Stalls, Unheeded
from pytest_taskleak.state import POLICY, READER
from pytest_taskleak.telling import Telling


class Hooks:
    """The phases of tests and fixtures, while somebody watches."""

    def __init__(
        self, watch: Watch, telling: Telling, config: pytest.Config, *, stalls: Stalls | Unheeded
    ) -> None:
        self.stalls = stalls
        self.watch = watch
        self.telling = telling
        self.config = config
        self.module: Any = None
        self.harness: dict[Any, bool] = {}  # pytest keeps the definitions of fixtures to the end
        reader = config.stash[READER]
        self.phases = Phases(watch, lambda node: reader.marked(node, watch.policy))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        if item.path is not self.module and self.watch.growth.measures:
            self.entered(item)
        self.phases.open_test(item, item.stash.get(POLICY, None))
        self.telling.item = item
        self.stalls.enter(item, "setup")
        try:
            yield
        finally:
            self.stalls.phase = None
        if self.phases.wide:
            self.phases.used(item)

    def entered(self, item: pytest.Item) -> None:
        """Note that another module begins."""
        self.module = item.path
        self.grown(self.watch.growth.enter(item.nodeid.partition("::")[0]))

    def grown(self, found: Iterable[Finding]) -> None:
        """Tell what a module left open; by default that is a note at the end of the run."""
        watch = self.watch
        decided = [d for f in found if (d := watch.decide(f, watch.policy)) and d.rule is None]
        watch.notes += [f for f in decided if f.severity == "note"]
        worse = tuple(f for f in decided if f.severity != "note")
        if worse:
            self.telling.deliver(self.phases.last, Verdict(findings=worse))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        self.stalls.enter(item, "call")
        try:
            try:
                yield
            finally:
                self.stalls.phase = None
        except pytest.skip.Exception:
            raise
        except BaseException:
            self.call_ended(item, failed=True)
            raise
        phases, test = self.phases, self.phases.test
        failed = pytest_.own_failure(item)
        if failed or phases.unmet or LOSSES.queue or (test is not None and (test.births or test.findings)):
            self.call_ended(item, failed=failed)

    def call_ended(self, item: pytest.Item, *, failed: bool) -> None:
        """Judge a test at the end of its call where that is possible; a failed one gets a note."""
        self.phases.failed = failed
        self.telling.failed_call(failed=failed)
        verdict = self.phases.call_ended(item)
        if verdict is not NOTHING:
            self.telling.tell(item, "call", verdict, raising=not failed, broken=failed)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        self.stalls.enter(item, "teardown")
        try:
            try:
                yield
            finally:
                self.stalls.phase = None
        except BaseException:
            self.finish(item, failed=True)
            raise
        self.finish(item, failed=False)

    def finish(self, item: pytest.Item, *, failed: bool) -> None:
        """End a test: tell what it left, and what fixtures left that ended with it."""
        phases = self.phases
        verdict = phases.close_test()
        if verdict is not NOTHING:
            broken = failed or phases.failed
            self.telling.tell(item, "teardown", verdict, raising=not failed, broken=broken)
        watch = self.watch
        if LOSSES.queue:
            watch.charge()
        if watch.late or watch.faults or self.telling.faults or watch.survivors or self.telling.tainted:
            self.telling.late(watch)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        harness = self.harness.get(fixturedef)
        if harness is None:
            harness = self.harness[fixturedef] = pytest_.is_harness(fixturedef)
        if harness:
            return (yield)
        opened = self.phases.open_fixture(fixturedef, request)
        try:
            return (yield)
        finally:
            self.phases.opened(fixturedef, *opened)

    @pytest.hookimpl(trylast=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        phases = self.phases
        phases.end_fixture(fixturedef)
        for scope in phases.due() if phases.ended else ():
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
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for scope in self.phases.ended:
            self.judge_fixture(scope)
        self.grown(self.watch.growth.last())
        gather(self.watch)
        self.telling.last(self.watch)
        if session.testsfailed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED  # pytest has taken stock before
