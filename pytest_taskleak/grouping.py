"""When does the group of a test end, and what is told of it?

At the end of the call where no fixture of the test uses the group; else when the last of those has ended.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Coroutine, Generator
from contextvars import Context
from sys import _getframe
from typing import Any, TypeVar

import pytest

from pytest_taskleak.adapt import asyncio_, pytest_
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.adapt.task_groups import DECLARED, is_cut_off
from pytest_taskleak.diagnostics import TaskLeak
from pytest_taskleak.engine.reap import cancel_all
from pytest_taskleak.engine.settle import FIRST_TURNS
from pytest_taskleak.groups import current
from pytest_taskleak.groups.failures import TaskFailure
from pytest_taskleak.groups.group import TrackedTaskGroup
from pytest_taskleak.groups.making import AT
from pytest_taskleak.groups.records import STRUCTURED, Flat, Record
from pytest_taskleak.state import GROUP, POLICY, WATCH

NAME = "tracked_task_group"
T = TypeVar("T")


class TestsGroup(TrackedTaskGroup):
    """The group of one test: opened where it is used first.

    A child made by `create_task` that fails ends the test, as in the body of a task group: the others and the
    test's task are cancelled, and the test fails with the exception.
    """

    __test__ = False

    def __init__(self) -> None:
        super().__init__(NAME)
        self.finished = False
        self.fatal: list[TaskFailure] = []
        self.cut_off: list[Record] = []
        self._host: weakref.ref[Task] | None = None
        current.DEFAULTS.append(self)

    def create_task(  # type: ignore[override]  # as that of the base class
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        background: bool = False,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Make a child; see `TrackedTaskGroup.create_task`."""
        options.setdefault(AT, (_getframe(1), STRUCTURED))
        if not self._blocks and asyncio_.running_loop() is not None:
            self._use()
        task = super().create_task(coro, name=name, context=context, background=background, **options)
        if background:
            DECLARED.add(task)
        return task

    def _use(self) -> None:
        """Open it in the loop that runs, and note whose body it is."""
        if self._books.loop is not asyncio_.running_loop():
            self.open()
        task = asyncio_.running_task()
        if task is not None and task not in self._books.live:
            self._host = weakref.ref(task)

    def ended(self, task: Task, cancelled: bool, error: BaseException | None) -> bool:
        """Note the end of a child, and whether it was cut off by the end of its runner."""
        flat = self._books.live.get(task)
        if cancelled and flat is not None and task not in self._books.asked and is_cut_off():
            record = Record(*flat)
            if not record.background:
                self.cut_off.append(record)
        return super().ended(task, cancelled, error)

    def _failed(self, record: Record, task: Task, error: BaseException) -> bool:
        seen = super()._failed(record, task, error)
        if not (self._blocks or record.contained != STRUCTURED or self.fatal or self.finished):
            self.fatal.append(TaskFailure(str(record.name), error, record.born))
            self._books.cancel(frozenset())
            host = self._host() if self._host is not None else None
            if host is not None and not host.done():
                host.cancel()
        return seen

    # --- its end ------------------------------------------------------------------------------------

    def finish(self, *, watched: bool) -> tuple[BaseException | None, str]:
        """End the group; return the error that the test is to fail with, and what is told beside it.

        Parameters:
            watched: somebody else looks for tasks that are left, and removes them.
        """
        self.finished = True
        current.DEFAULTS[:] = [each for each in current.DEFAULTS if each is not self]
        books = self._books
        loop: Any = books.loop
        turns = loop is not None and asyncio_.can_turn(loop)
        if turns and books.live:
            asyncio_.turn(loop, FIRST_TURNS)
        daemons = [task for task, flat in books.live.items() if Record(*flat).background]
        if turns and daemons:
            books.busy = True
            books.asked.update(daemons)
            cancel_all(loop, daemons)
            DECLARED.difference_update(daemons)  # one that does not end is a leak
        left: dict[Task, Flat] = dict(books.left())
        text = self.told(list(left.values())) if left or self.cut_off else ""
        if turns and left and not watched:
            cancel_all(loop, list(left))
            for task in books.live:  # it would let the end of the runner hang
                asyncio_.forsake(task)
        return self.error(text if not watched else ""), text

    def told(self, left: list[Flat]) -> str:
        """Return what is told of the tasks that are left."""
        number = len(left) + len(self.cut_off)
        what = "1 task of the test's group" if number == 1 else f"{number} tasks of the test's group"
        lines = [f"{what} still ran at the end of the test"]
        lines += [self.tree()] if left else []
        lines += [f"  {r.name}, born {r.born}, cut off by the end of its runner" for r in self.cut_off]
        lines += [
            "fix: await what is made, or end it with 'await tracked_task_group.drain(deadline=...)';",
            "     for what runs as long as the test: create_task(..., background=True)",
        ]
        return "\n".join(lines)

    def error(self, left: str) -> BaseException | None:
        """Return what the test is to fail with: failures that nobody asked for, and what is left."""
        known = {id(failure.exception) for failure in self.fatal}
        unasked, more = self._books.failures.unasked()
        failures = self.fatal + [failure for failure in unasked if id(failure.exception) not in known]
        if not failures:
            return TaskLeak(left, pytrace=False) if left else None
        for failure in failures:
            failure.exception.add_note(f"in task {failure.name!r} of {NAME}, born {failure.born}")
        number = len(failures) + more
        what = "a task" if number == 1 else f"{number} tasks"
        group = BaseExceptionGroup(f"{what} of {NAME} failed", [f.exception for f in failures])
        if more:
            group.add_note(f"{more} more are counted in the log")
        if left:
            group.add_note(left)
        return group


class Hooks:
    """Ends the group of a test in time."""

    def __init__(self) -> None:
        self.users: set[Any] = set()
        self.late: BaseException | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        try:
            result = yield
        except BaseException as error:
            group = item.stash.get(GROUP, None)
            if group is None:
                raise
            instead = self.failed(item, group, error)
            if instead is None:
                raise
            raise instead from None
        group = item.stash.get(GROUP, None)
        if group is not None:
            self.users = pytest_.users_of(item, NAME)
            if not self.users:
                self.tell(item, group)
        return result

    def failed(self, item: pytest.Item, group: TestsGroup, error: BaseException) -> BaseException | None:
        """End the group of a failed test; return what it fails with instead, if the group ended it."""
        self.users = set()
        mine, text = group.finish(watched=watched(item))
        if group.fatal and mine is not None and isinstance(error, asyncio.CancelledError):
            return mine
        if mine is not None and mine is not error:
            error.add_note(str(mine) if isinstance(mine, TaskLeak) else f"{mine!r}")
        elif text:
            error.add_note(text)
        return None

    def tell(self, item: pytest.Item, group: TestsGroup) -> None:
        """End the group of a test, and let the test fail with what was wrong."""
        __tracebackhide__ = True
        error, text = group.finish(watched=watched(item))
        if text:
            item.add_report_section("call", NAME, text)
        if error is not None:
            raise error

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any, request: Any) -> None:
        if fixturedef not in self.users:
            return
        self.users.discard(fixturedef)
        group = request.node.stash.get(GROUP, None)
        if not self.users and group is not None and not group.finished:
            self.late = self.finished(request.node, group)

    def finished(self, item: pytest.Item, group: TestsGroup) -> BaseException | None:
        """End the group of a test after its call; return what was wrong."""
        error, text = group.finish(watched=watched(item))
        if text:
            item.add_report_section("teardown", NAME, text)
        return error

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        result = yield
        group = item.stash.get(GROUP, None)
        if group is not None and not group.finished:
            self.late = self.finished(item, group)
        if group is not None:
            del item.stash[GROUP]
        error, self.late = self.late, None
        if error is not None:
            raise error
        return result


def group_for(request: pytest.FixtureRequest) -> TrackedTaskGroup:
    """Return the group of a test."""
    config = request.config
    if not config.pluginmanager.has_plugin("taskleak-groups"):
        config.pluginmanager.register(Hooks(), "taskleak-groups")
    group = TestsGroup()
    request.node.stash[GROUP] = group
    return group


def watched(item: pytest.Item) -> bool:
    """Tell whether the watch looks for tasks that this test leaves, or the test is left out of that."""
    marked = item.stash.get(POLICY, None)
    if marked is not None and marked.mode == "off":
        return True
    watch = item.config.stash.get(WATCH, None)
    scope = watch.running if watch is not None else None
    if watch is None or scope is None:
        return False
    policy = watch.policy_of(scope)
    return policy.mode != "off" and "task" in policy.detect
