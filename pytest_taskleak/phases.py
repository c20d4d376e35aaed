"""How do pytest's phases become scopes, and when is each judged?

A test is judged at the end of its call, unless teardown code of the user is still to come; then after
the last function-scoped fixture is gone, before wider fixtures end and could hide what is left.  A
fixture is judged when pytest has finalized it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from typing import Any

from pytest_taskleak.adapt import pytest_
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.patch import PATCHES
from pytest_taskleak.engine.watch import NOTHING, Watch
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
        watch.fixtures = lambda: tuple(self.fixtures.values())
        self.closing: list[Any] = []
        self.teardowns = 0
        self.found = NOTHING
        self.failed = False
        self.last = ""

    # --- tests ----------------------------------------------------------------------------------

    def open_test(self, item: Any, policy: Policy | None) -> None:
        """Begin the scope of a test."""
        watch = self.watch
        self.test = watch.running = Scope(
            "test", item.name, nodeid=item.nodeid, parent=watch.session, policy=policy, watch=watch
        )
        self.found = NOTHING
        self.failed = False
        self.last = item.nodeid
        watch.budget.left = (policy or watch.policy).grace
        watch.enter(self.test)
        PATCHES.refresh()

    def used(self, item: Any) -> None:
        """Note which wide fixtures a test uses: the last user is told of their leaks."""
        for fixturedef, scope in self.fixtures.items():
            if fixturedef.argname in item.fixturenames:
                scope.nodeid = item.nodeid

    def call_ended(self, item: Any) -> Verdict:
        """Judge a test at the end of its call, if no teardown code of the user is to come."""
        test = self.test
        if test is None or self.teardowns or not (test.births or test.findings):
            return NOTHING
        if pytest_.has_finalizers(item):
            return NOTHING
        return self.watch.close(test, final=False)

    def close_test(self) -> Verdict:
        """Judge what a test leaves after all of its teardown, and return everything found."""
        test, self.test = self.test, None
        found = self.found
        if test is not None:
            found += self.watch.close(test)
        self.found = NOTHING
        self.watch.enter(self.watch.session)
        return found

    # --- fixtures -------------------------------------------------------------------------------

    def setup_fixture(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        """Let a fixture answer for what its setup makes."""
        if pytest_.is_harness(fixturedef):
            return (yield)
        watch = self.watch
        outer = owner.phases[watch.slot]
        test = self.test
        wide = fixturedef.scope != "function"
        scope = Scope(
            "fixture",
            pytest_.readable(fixturedef.argname),
            range=fixturedef.scope,
            nodeid=test.nodeid if test is not None else request.node.nodeid,
            parent=watch.session,
            policy=self.policy_of(request.node) if wide else (test.policy if test else None),
            watch=watch,
        )
        before = pytest_.finalizers(fixturedef)
        watch.enter(scope)
        try:
            return (yield)
        finally:
            watch.enter(outer)
            self.fixtures[fixturedef] = scope
            if wide:
                reference = weakref.ref(fixturedef)
                scope.value = lambda: pytest_.value_of(reference())
                watch.claims.add(scope)
            if pytest_.finalizers(fixturedef) > before:
                scope.teardown = True
                scope.user = not wide and not pytest_.is_plugins(fixturedef)
                self.teardowns += scope.user
                fixturedef.addfinalizer(lambda: self.begin_teardown(scope))

    def begin_teardown(self, scope: Scope) -> None:
        """Let a fixture answer for what its teardown makes."""
        self.closing.append(owner.phases[self.watch.slot])
        self.watch.enter(scope)

    def end_fixture(self, fixturedef: Any) -> Scope | None:
        """Judge a fixture that was finalized; return its scope if it was watched."""
        scope = self.fixtures.pop(fixturedef, None)
        if scope is None:
            return None
        if scope.teardown:
            self.watch.enter(self.closing.pop() if self.closing else self.watch.session)
        return scope

    def last_function_fixture(self, scope: Scope) -> bool:
        """Tell whether the last function-scoped fixture with teardown code is gone now."""
        if not scope.user:
            return False
        self.teardowns -= 1
        return self.teardowns == 0
