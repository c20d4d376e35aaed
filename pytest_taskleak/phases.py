"""How do pytest's phases become scopes, and when is each judged?

A test is judged at the end of its call, unless teardown code of the user is still to come; then after
the last function-scoped fixture is gone, before wider fixtures end and could hide what is left.  A
fixture is judged when pytest has finalized it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import CodeType
from typing import Any

from pytest_taskleak.adapt import pytest_
from pytest_taskleak.diagnostics import TaskLeak
from pytest_taskleak.engine.losses import LOSSES
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.patch import PATCHES
from pytest_taskleak.engine.verdicts import NOTHING
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.model import Verdict

PolicyOf = Callable[[Any], Policy | None]


class Phases:
    """The scopes of one session: the running test, and the fixtures that live.

    Parameters:
        watch: the session of watching.
        policy_of: returns the policy that markers give to a node.
    """

    def __init__(self, watch: Watch, policy_of: PolicyOf) -> None:
        self.watch = watch
        self.policy_of = policy_of
        self.test: Scope | None = None
        self.fixtures: dict[Any, Scope] = {}
        watch.fixtures = lambda: (*self.fixtures.values(), *self.ended)
        watch.code_of = self.code_of
        watch.own = self.own
        watch.kept_values = self.kept_values
        self.item: Any = None
        self.wide: dict[Any, Scope] = {}
        self.closing: list[Any] = []
        self.teardowns = 0
        self.ended: list[Scope] = []
        self.spent: list[Any] = []  # the function-scoped definitions whose fixtures have ended in this test
        self.found = NOTHING
        self.failed = False
        self.unmet: set[str] = set()
        self.last = ""

    # --- tests ----------------------------------------------------------------------------------

    def open_test(self, item: Any, policy: Policy | None) -> None:
        """Begin the scope of a test."""
        watch = self.watch
        nodeid = item.nodeid
        self.test = watch.running = Scope(
            "test", item.name, nodeid=nodeid, parent=watch.harness, policy=policy, watch=watch
        )
        self.found = NOTHING
        self.failed = False
        self.spent.clear()
        self.item = item
        if policy is not None or self.unmet:
            self.unmet = expectations(policy)
        if policy is not None and policy.mode != "off":
            watch.ruled |= {str(rule) for rule in policy.rules}
        self.last = nodeid
        watch.budget.left = (policy or watch.policy).grace
        watch.enter(self.test)
        for opened in watch.openers:
            opened()
        if len(sys.modules) != PATCHES.modules:
            PATCHES.refresh()

    def code_of(self, scope: Scope) -> CodeType | None:
        """Return the code of the running test or of a live fixture."""
        found = self.item if scope is self.test else None
        for fixturedef, other in self.fixtures.items():
            found = fixturedef if other is scope else found
        return pytest_.code_of(found)

    def own(self) -> list[Any]:
        """Return the containers in which pytest keeps values of the test, though nobody will use them.

        Without teardown code of the user, and after all of it, these values are of no use to anybody.
        """
        if self.teardowns:
            return []
        narrow = [f for f, scope in self.fixtures.items() if scope.range == "function"]
        values = map(pytest_.cache_of, narrow + self.spent)
        return [x for x in (pytest_.arguments_of(self.item), *values) if x is not None]

    def kept_values(self) -> list[tuple[str, Any]]:
        """Return the live values of fixtures and the test's instance, each with the words for it."""
        found = [
            (f"fixture {scope.name!r} ({scope.range})", scope.value())
            for scope in self.fixtures.values()
            if scope.value is not None
        ]
        instance = pytest_.instance_of(self.item)
        return found if instance is None else [*found, ("the test's instance", instance)]

    def used(self, item: Any) -> None:
        """Note which wide fixtures a test uses: the last user is told of their leaks."""
        for fixturedef, scope in self.wide.items():
            if fixturedef.argname in item.fixturenames:
                scope.nodeid = item.nodeid

    def call_ended(self, item: Any) -> Verdict:
        """Judge a test at the end of its call, if no teardown code of the user is to come.

        One that is marked to fail with `TaskLeak` is judged then in any case: pytest has decided
        about such a mark before the teardown.
        """
        test = self.test
        if test is None or not (test.births or test.findings or self.unmet or LOSSES.queue):
            return NOTHING
        if (self.teardowns or pytest_.has_finalizers(item)) and not pytest_.awaits(item, TaskLeak):
            return NOTHING
        return self.expected(self.watch.close(test, final=False), told=True)

    def expected(self, verdict: Verdict, *, told: bool) -> Verdict:
        """Add what a test was expected to leave behind and did not, where that is certain now."""
        self.unmet -= {finding.rule or "" for finding in verdict.allowed}
        if not told or not self.unmet:
            return verdict
        unmet, self.unmet = sorted(self.unmet), set()
        return replace(verdict, unmet=verdict.unmet + tuple(unmet))

    def close_test(self) -> Verdict:
        """Judge what a test leaves after all of its teardown, and return everything found."""
        test, self.test = self.test, None
        found = self.found
        if test is not None:
            more = self.watch.close(test)
            if more is not NOTHING:
                found += more
            if self.unmet:
                found = self.expected(found, told=True)
        self.found = NOTHING
        self.watch.enter(self.watch.session)
        return found

    # --- fixtures -------------------------------------------------------------------------------

    def open_fixture(self, fixturedef: Any, request: Any) -> tuple[Scope, Scope, int]:
        """Let a fixture answer for what its setup makes; return what `opened` needs."""
        watch = self.watch
        outer = watch.phase
        test = self.test
        width = fixturedef.scope
        wide = width != "function"
        scope = Scope(
            "fixture",
            pytest_.readable(fixturedef.argname),
            range=width,
            nodeid=test.nodeid if test is not None else request.node.nodeid,
            parent=watch.session,
            policy=self.policy_of(request.node) if wide else (test.policy if test else None),
            watch=watch,
        )
        watch.enter(scope)
        return scope, outer, pytest_.finalizers(fixturedef)

    def opened(self, fixturedef: Any, scope: Scope, outer: Scope, before: int) -> None:
        """End the setup of a fixture, and arrange for its teardown."""
        self.watch.enter(outer)
        self.fixtures[fixturedef] = scope
        wide = scope.range != "function"
        if wide:
            reference = weakref.ref(fixturedef)
            scope.value = lambda: pytest_.value_of(reference())
            self.watch.claims.add(scope)
            self.wide[fixturedef] = scope
        if pytest_.finalizers(fixturedef) > before:
            scope.teardown = True
            scope.user = not wide and not pytest_.is_plugins(fixturedef)
            self.teardowns += scope.user
            fixturedef.addfinalizer(lambda: self.begin_teardown(scope))

    def begin_teardown(self, scope: Scope) -> None:
        """Let a fixture answer for what its teardown makes."""
        self.closing.append(self.watch.phase)
        self.watch.enter(scope)

    def end_fixture(self, fixturedef: Any) -> None:
        """Note that a fixture was finalized; it is judged when its like can no longer end its things."""
        scope = self.fixtures.pop(fixturedef, None)
        if scope is None:
            return
        self.wide.pop(fixturedef, None)
        if scope.teardown:
            self.watch.enter(self.closing.pop() if self.closing else self.watch.session)
        self.teardowns -= scope.user
        self.ended.append(scope)
        if scope.range == "function":
            self.spent.append(fixturedef)

    def due(self) -> list[Scope]:
        """Return the scopes that can be judged now.

        What a fixture made may be ended by another fixture of the same width that is torn down after
        it (an ExitStack, a client factory), so all of one width are judged when the last of them is
        gone, and before a wider one could hide what is left.
        """
        if not self.fixtures:
            ready, self.ended = self.ended, []
            return ready
        alive = {scope.range for scope in self.fixtures.values() if scope.teardown}
        ready = [scope for scope in self.ended if scope.range not in alive]
        self.ended = [scope for scope in self.ended if scope.range in alive]
        return ready


def expectations(policy: Policy | None) -> set[str]:
    """Return the rules of which each must match something."""
    if policy is None or policy.mode == "off":
        return set()
    return {str(rule) for rule in policy.expect}
