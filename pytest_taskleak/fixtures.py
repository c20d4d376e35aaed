"""What can a test ask the watch while it runs?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.diagnostics import TaskLeak
from pytest_taskleak.engine import snapshot
from pytest_taskleak.engine.explaining import explain
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.settle import Budget, Leftover, settle, settle_here
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.allow import suggestion
from pytest_taskleak.model import Finding
from pytest_taskleak.report import text
from pytest_taskleak.report.story import stories
from pytest_taskleak.state import READER, WATCH


class Taskleak:
    """The `taskleak` fixture's value: the watch over the running test."""

    def __init__(self, watch: Watch, scope: Scope, reader: Any) -> None:
        self._watch = watch
        self._scope = scope
        self._reader = reader

    def check(self) -> Awaitable[None] | None:
        """Fail at once if this test has left something behind up to here.

        In a coroutine, await it: what is about to end is let finish by turning the running loop.

        Raises:
            TaskLeak: something of this test is left; the test's own task does not count.
        """
        if asyncio_.running_loop() is not None:
            return self._check_here()
        settle(self._live, Budget(self._policy.grace))
        self._fail()
        return None

    async def _check_here(self) -> None:
        await settle_here(self._live, Budget(self._policy.grace))
        self._fail()

    def allow(self, *rules: str, reason: str = "") -> None:
        """Allow this test to leave behind what matches one of `rules`.

        Raises:
            pytest.UsageError: a rule cannot be read.
        """
        added = tuple(self._reader.rule(rule, "fixture taskleak.allow", reason) for rule in rules)
        self._scope.policy = replace(self._policy, rules=added + self._policy.rules)

    def pending(self, kind: str | None = None) -> list[Finding]:
        """Return what this test has made and what lives now, of one kind or of all.

        Raises:
            pytest.UsageError: `kind` is no kind.
        """
        wanted = None if kind is None else self._reader.kind(kind, "fixture taskleak.pending")
        return [f for f in self._findings(self._scope) if wanted in (None, f.kind)]

    def owned_by(self, name: str) -> list[Finding]:
        """Return what a fixture, by its name, has made and what lives now.

        Raises:
            pytest.UsageError: no fixture of this name is in use.
        """
        live = tuple(self._watch.fixtures())
        scopes = [s for s in live if s.name == name]
        if not scopes:
            names = sorted({s.name for s in live})
            raise pytest.UsageError(
                f"taskleak: no fixture {name!r} is in use{suggestion(name, names)}; "
                f"in use are {', '.join(names) or 'none'} (fixture taskleak.owned_by)"
            )
        return [f for scope in scopes for f in self._findings(scope)]

    def explain(self, task: asyncio.Task[Any]) -> str:
        """Return as text what a task waits for, who holds that, and whether it can ever end.

        Raises:
            TypeError: it is no task of asyncio.
        """
        return snapshot.explain_task(task, self._watch.root, stories=stories)

    @property
    def _policy(self) -> Any:
        return self._watch.policy_of(self._scope)

    def _live(self) -> list[Leftover]:
        return self._watch.unruled(self._scope, self._policy)

    def _findings(self, scope: Scope) -> list[Finding]:
        left = self._watch.live(scope, self._watch.policy_of(scope))
        return [finding for _, finding in explain(left, scope, self._watch.root)]

    def _fail(self) -> None:
        pairs = explain(self._live(), self._scope, self._watch.root)
        self._watch.charge()
        lost = [f for f in self._scope.findings if f.severity == "fail"]
        found = [
            d
            for f in [*lost, *(f for _, f in pairs)]
            if (d := self._watch.decide(f, self._policy)) and d.rule is None
        ]
        if found:
            body = "\n\n".join(text.block(f) for f in found)
            raise TaskLeak(f"{text.headline(found)}\n\n{body}", pytrace=False)


def over(request: pytest.FixtureRequest) -> Taskleak:
    """Return the watch over the test that asks for it."""
    config = request.config
    watch = config.stash.get(WATCH, None)
    scope = watch.running if watch is not None else None
    if watch is None or scope is None:
        raise pytest.UsageError(
            "taskleak: nobody watches this test; name the fixture taskleak among the test's arguments, "
            "or run with --taskleak"
        )
    return Taskleak(watch, scope, config.stash[READER])


def explain_task(task: asyncio.Task[Any]) -> str:
    """Return as text what a task waits for, who holds that, and whether it can ever end.

    For a debugger, or a program without pytest; in a test, the fixture `taskleak` has the same.

    Raises:
        TypeError: it is no task of asyncio.
    """
    return snapshot.explain_task(task, os.getcwd(), stories=stories)
