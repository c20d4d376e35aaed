"""Does `check_spawner` pass good helpers, and name the one rule that a bad one breaks?"""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import sys
import threading
import warnings
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.conformance.spawner_rules import SPAWNER
from pytest_taskleak.testing import ConformanceError, check_spawner

ROOT = Path(__file__).resolve().parent.parent.parent
EAGER = sys.version_info >= (3, 12)
logger = logging.getLogger("spawner.kit")
Work = Coroutine[Any, Any, Any]
OnError = Callable[[BaseException], object]


def qualname(coro: Work) -> str:
    return str(getattr(coro, "__qualname__", type(coro).__qualname__))


class Helper:
    """A helper that keeps every rule; the bad ones differ in one method."""

    def __init__(self) -> None:
        self.tasks: Any = set()
        self.counts: Counter[str] = Counter()

    def spawn(self, coro: Work, *, name: str | None = None, on_error: OnError | None = None) -> Any:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.refuse(coro)
        task = self.make(loop, coro, self.name_of(coro, name))
        self.register(task)
        task.add_done_callback(lambda task: self.ended(task, coro, on_error))
        return self.returned(task)

    def refuse(self, coro: Work) -> Any:
        coro.close()
        raise RuntimeError("spawn() needs a running event loop") from None

    def name_of(self, coro: Work, name: str | None) -> str:
        return name or qualname(coro)

    def make(self, loop: asyncio.AbstractEventLoop, coro: Work, name: str) -> asyncio.Task[Any]:
        return loop.create_task(coro, name=name)

    def register(self, task: asyncio.Task[Any]) -> None:
        if not task.done():
            self.tasks.add(task)

    def returned(self, task: asyncio.Task[Any]) -> Any:
        return task

    def ended(self, task: asyncio.Task[Any], coro: Work, on_error: OnError | None) -> None:
        self.tasks.discard(task)
        coro.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(task, error, on_error)

    def failed(self, task: asyncio.Task[Any], error: BaseException, on_error: OnError | None) -> None:
        self.counts[task.get_name()] += 1
        logger.error("%s failed", task.get_name(), exc_info=error)
        if on_error is not None:
            self.tell(on_error, error)

    def tell(self, on_error: OnError, error: BaseException) -> None:
        with suppress(Exception):
            on_error(error)

    def failures(self) -> dict[str, int]:
        return dict(self.counts)


def check(helper: Helper, **options: Any) -> None:
    check_spawner(helper.spawn, on_error="on_error", failures=helper.failures, **options)


def broken_rules(do: Callable[[], None]) -> list[str]:
    with pytest.raises(ConformanceError) as caught:
        do()
    return list(dict.fromkeys(failure.rule for failure in caught.value.failures))


def test_a_good_helper_passes() -> None:
    check(Helper())


# --- one bad helper for each rule -----------------------------------------------------------------


class NeverRuns(Helper):
    def make(self, loop: asyncio.AbstractEventLoop, coro: Work, name: str) -> Any:
        coro.close()
        return loop.create_task(asyncio.sleep(0), name=name)


class LosesErrors(Helper):
    def failed(self, task: asyncio.Task[Any], error: BaseException, on_error: OnError | None) -> None:
        pass


class HidesErrors(Helper):
    """It logs, where nobody looks."""

    def failed(self, task: asyncio.Task[Any], error: BaseException, on_error: OnError | None) -> None:
        logger.debug("%s failed", task.get_name(), exc_info=error)


class Wrapping(Helper):
    """The other style: a coroutine around the coroutine."""

    def make(self, loop: asyncio.AbstractEventLoop, coro: Work, name: str) -> asyncio.Task[Any]:
        return loop.create_task(self.around(coro), name=name)

    async def around(self, coro: Work) -> Any:
        return await coro


class Swallows(Wrapping):
    async def around(self, coro: Work) -> Any:
        with suppress(asyncio.CancelledError):
            return await coro


class SwallowsInCleanup(Wrapping):
    """Only the second cancellation is lost."""

    async def around(self, coro: Work) -> Any:
        try:
            return await coro
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling() > 1:
                return None
            raise


class Shields(Helper):
    def returned(self, task: asyncio.Task[Any]) -> Any:
        return asyncio.shield(task)


class TurnsCancellingIntoAnError(Wrapping):
    async def around(self, coro: Work) -> Any:
        try:
            return await coro
        except asyncio.CancelledError:
            raise TimeoutError from None

    def failed(self, task: asyncio.Task[Any], error: BaseException, on_error: OnError | None) -> None:
        if not isinstance(error, TimeoutError):
            super().failed(task, error, on_error)


class ForgetsTheUnbegun(Wrapping):
    def ended(self, task: asyncio.Task[Any], coro: Work, on_error: OnError | None) -> None:
        super().ended(task, NEVER, on_error)


class Closed:
    def close(self) -> None:
        pass


NEVER: Any = Closed()


class ReturnsAnother(Wrapping):
    async def around(self, coro: Work) -> Any:
        await coro
        return "done"


class RaisesAnother(Wrapping):
    async def around(self, coro: Work) -> Any:
        try:
            return await coro
        except Exception as error:
            raise RuntimeError("failed") from error


class DropsTheName(Helper):
    """The name is put together before anybody asks whether one was given."""

    def name_of(self, coro: Work, name: str | None) -> str:
        what: str | None = getattr(coro, "__qualname__", None)
        return (name or what) if what else "some work"


class NeedsAQualname(Helper):
    def name_of(self, coro: Work, name: str | None) -> str:
        return name or str(coro.__qualname__)  # type: ignore[attr-defined]


class SaysUnknown(Helper):
    def name_of(self, coro: Work, name: str | None) -> str:
        return name or "unknown"


class KeepsTheDefault(Helper):
    def name_of(self, coro: Work, name: str | None) -> Any:
        return name


class KeepsNone(Helper):
    def __init__(self) -> None:
        super().__init__()
        self.tasks = weakref.WeakSet()


class CallsTwice(Helper):
    def tell(self, on_error: OnError, error: BaseException) -> None:
        super().tell(on_error, error)
        super().tell(on_error, error)


class CallsForCancelled(Helper):
    def ended(self, task: asyncio.Task[Any], coro: Work, on_error: OnError | None) -> None:
        super().ended(task, coro, on_error)
        if task.cancelled() and on_error is not None:
            self.tell(on_error, asyncio.CancelledError())


class CallsWithoutTheError(Helper):
    def tell(self, on_error: OnError, error: BaseException) -> None:
        super().tell(on_error, RuntimeError("a task failed"))


class LetsTheCallbackRaise(Wrapping):
    def spawn(self, coro: Work, *, name: str | None = None, on_error: OnError | None = None) -> Any:
        self.on_error = on_error
        return super().spawn(coro, name=name)

    async def around(self, coro: Work) -> Any:
        on_error = self.on_error
        try:
            return await coro
        except Exception as error:
            if on_error is not None:
                on_error(error)
            raise


class CountsCancelled(Helper):
    def ended(self, task: asyncio.Task[Any], coro: Work, on_error: OnError | None) -> None:
        super().ended(task, coro, on_error)
        self.counts["cancelled"] += task.cancelled()


class CountsOnce(Helper):
    def failures(self) -> dict[str, int]:
        return dict.fromkeys(self.counts, 1)


class HandsOutItsOwn(Helper):
    def failures(self) -> dict[str, int]:
        return self.counts


class LeavesItOpen(Helper):
    def refuse(self, coro: Work) -> Any:
        raise RuntimeError("spawn() needs a running event loop")


class SaysNothingClear(Helper):
    def refuse(self, coro: Work) -> Any:
        coro.close()
        raise AttributeError("'NoneType' object has no attribute 'create_task'")


class DoesNothing(Helper):
    def refuse(self, coro: Work) -> Any:
        coro.close()


class TooLate(Wrapping):
    """The wrapper needs what is only known when the task has been made."""

    def __init__(self) -> None:
        super().__init__()
        self.known: weakref.WeakSet[asyncio.Task[Any] | None] = weakref.WeakSet()

    def register(self, task: asyncio.Task[Any]) -> None:
        super().register(task)
        self.known.add(task)

    async def around(self, coro: Work) -> Any:
        if asyncio.current_task() not in self.known:
            coro.close()
            raise LookupError("this task is not registered")
        return await coro


class KeepsForEver(Helper):
    def ended(self, task: asyncio.Task[Any], coro: Work, on_error: OnError | None) -> None:
        super().ended(task, coro, on_error)
        self.tasks.add(task)


class KeepsTheFailed(Helper):
    def failed(self, task: asyncio.Task[Any], error: BaseException, on_error: OnError | None) -> None:
        super().failed(task, error, on_error)
        self.tasks.add(task)


class KeepsTheCancelled(Helper):
    def ended(self, task: asyncio.Task[Any], coro: Work, on_error: OnError | None) -> None:
        super().ended(task, coro, on_error)
        if task.cancelled():
            self.tasks.add(task)


class AnotherContext(Helper):
    def make(self, loop: asyncio.AbstractEventLoop, coro: Work, name: str) -> asyncio.Task[Any]:
        return loop.create_task(coro, name=name, context=Context())


BAD: list[tuple[type[Helper], str]] = [
    (LosesErrors, "SP2"),
    (HidesErrors, "SP2"),
    (Swallows, "SP3"),
    (SwallowsInCleanup, "SP3"),
    (Shields, "SP3"),
    (TurnsCancellingIntoAnError, "SP3"),
    (ForgetsTheUnbegun, "SP4"),
    (ReturnsAnother, "SP5"),
    (DropsTheName, "SP6"),
    (SaysUnknown, "SP7"),
    (KeepsTheDefault, "SP7"),
    (NeedsAQualname, "SP7"),
    (KeepsNone, "SP8"),
    (CallsTwice, "SP9"),
    (CallsForCancelled, "SP9"),
    (CallsWithoutTheError, "SP9"),
    (LetsTheCallbackRaise, "SP9"),
    (CountsCancelled, "SP10"),
    (CountsOnce, "SP10"),
    (HandsOutItsOwn, "SP10"),
    (LeavesItOpen, "SP11"),
    (SaysNothingClear, "SP11"),
    (DoesNothing, "SP11"),
    (TooLate, "SP12"),
    (KeepsForEver, "SP13"),
    (KeepsTheFailed, "SP13"),
    (KeepsTheCancelled, "SP13"),
    (AnotherContext, "SP14"),
]


@pytest.mark.parametrize(("bad", "rule"), BAD, ids=[bad.__name__ for bad, _ in BAD])
def test_a_bad_helper_breaks_exactly_its_rule(bad: type[Helper], rule: str) -> None:
    if rule == "SP12" and not EAGER:
        pytest.skip("there are no eager tasks before 3.12")
    helper = bad()
    if bad in (LosesErrors, HidesErrors):
        assert broken_rules(lambda: check_spawner(helper.spawn)) == [rule]
    elif bad is LetsTheCallbackRaise:
        assert broken_rules(lambda: check_spawner(helper.spawn, on_error="on_error")) == [rule]
    else:
        assert broken_rules(lambda: check(helper)) == [rule]


def test_every_rule_has_a_bad_helper() -> None:
    assert {rule for _, rule in BAD} | {"SP1"} == {clause.code for clause in SPAWNER}


def test_what_does_not_run_is_told_of_nothing_else() -> None:
    assert broken_rules(lambda: check(NeverRuns())) == ["SP1"]


def test_what_waits_for_the_end_is_told() -> None:
    async def waits(coro: Work) -> Any:
        return await coro

    assert broken_rules(lambda: check_spawner(waits, deadline=0.2)) == ["SP1"]


def test_another_error_than_the_coroutines_is_told() -> None:
    assert "SP5" in broken_rules(lambda: check_spawner(RaisesAnother().spawn))


# --- styles ---------------------------------------------------------------------------------------


def test_a_wrapper_that_logs_and_returns_none_passes() -> None:
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(coro: Work, name: str) -> None:
        try:
            await coro
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("%s failed", name)

    def safe_create_task(coro: Work, *, name: str | None = None) -> asyncio.Task[None]:
        called = name or qualname(coro)
        wrapped = guarded(coro, called)
        try:
            task = asyncio.create_task(wrapped, name=called)
        except RuntimeError:
            wrapped.close()
            coro.close()
            raise RuntimeError("safe_create_task() needs a running event loop") from None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda _: coro.close())
        return task

    check_spawner(safe_create_task)
    assert tasks == set()


def test_a_coroutine_function_passes() -> None:
    helper = Helper()

    async def spawn(coro: Work, name: str | None = None) -> asyncio.Task[Any]:
        await asyncio.sleep(0)
        task: asyncio.Task[Any] = helper.spawn(coro, name=name)
        return task

    check_spawner(spawn, failures=helper.failures)


def test_a_helper_that_returns_nothing_passes() -> None:
    helper = Helper()

    def spawn(coro: Work, label: str = "") -> None:
        helper.spawn(coro, name=label)

    check_spawner(spawn, name="label")


def test_what_returns_nothing_is_seen_through() -> None:
    helper = Swallows()

    def spawn(coro: Work) -> None:
        helper.spawn(coro)

    assert broken_rules(lambda: check_spawner(spawn)) == ["SP3"]


class Named(asyncio.TaskGroup):
    def create_task(self, coro: Any, *, name: str | None = None, **options: Any) -> asyncio.Task[Any]:
        called = name or qualname(coro)
        return super().create_task(coro, name=called, **options)


def test_a_task_group_passes() -> None:
    check_spawner(Named.create_task, around=Named)


def test_the_names_of_a_plain_task_group_say_nothing() -> None:
    assert broken_rules(lambda: check_spawner(asyncio.TaskGroup.create_task, around=asyncio.TaskGroup)) == [
        "SP7"
    ]


def test_what_is_around_may_take_the_callback_and_count() -> None:
    class Group(Helper):
        def __init__(self, on_error: OnError | None = None) -> None:
            super().__init__()
            self.on_error = on_error

        def create(self, coro: Work, name: str | None = None) -> Any:
            return self.spawn(coro, name=name, on_error=self.on_error)

    @asynccontextmanager
    async def around(on_error: OnError | None = None) -> AsyncIterator[Group]:
        yield Group(on_error)

    check_spawner(Group.create, around=around, on_error="on_error", failures=Group.failures)

    class Deaf(Group):
        def tell(self, on_error: OnError, error: BaseException) -> None:
            pass

    @asynccontextmanager
    async def deaf(on_error: OnError | None = None) -> AsyncIterator[Group]:
        yield Deaf(on_error)

    assert broken_rules(lambda: check_spawner(Deaf.create, around=deaf, on_error="on_error")) == ["SP9"]


def test_errors_that_are_only_raised_are_lost_unless_all_is_awaited() -> None:
    helper = LosesErrors()
    check_spawner(helper.spawn, awaited=True)


def test_an_own_loop_is_used() -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    check_spawner(Helper().spawn, loop_factory=factory)
    assert len(made) > 10
    assert all(loop.is_closed() for loop in made)


def test_failures_may_be_a_number() -> None:
    helper = Helper()
    check_spawner(helper.spawn, failures=lambda: sum(helper.counts.values()))


# --- manners --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"name": 3}, TypeError, "name must be the name of a parameter, or None - got 3"),
        ({"name": "label"}, ValueError, "has no parameter 'label'; pass name=None if there is none"),
        (
            {"on_error": "on error"},
            TypeError,
            "on_error must be the name of a parameter, or None - got 'on error'",
        ),
        ({"on_error": "failed"}, ValueError, "has no parameter 'failed'"),
        ({"failures": {}}, TypeError, r"failures must be callable - got \{\}"),
        ({"around": 1}, TypeError, "around must be callable - got 1"),
        ({"awaited": None}, TypeError, "awaited must be True or False - got None"),
        ({"loop_factory": "uvloop"}, TypeError, "loop_factory must be callable - got 'uvloop'"),
        ({"deadline": 0}, ValueError, "deadline must be seconds, more than 0 - got 0"),
        ({"deadline": float("nan")}, ValueError, "deadline must be seconds, more than 0 - got nan"),
        ({"deadline": True}, TypeError, "deadline must be seconds, more than 0 - got True"),
        ({"deadline": "5"}, TypeError, "deadline must be seconds, more than 0 - got '5'"),
    ],
)
def test_a_bad_argument_is_told(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^check_spawner: .*{text}"):
        check_spawner(Helper().spawn, **options)


def test_the_helper_must_be_callable() -> None:
    with pytest.raises(TypeError, match=r"^check_spawner: spawn must be callable - got None"):
        check_spawner(None)  # type: ignore[arg-type]


def test_a_running_loop_is_refused() -> None:
    async def inside() -> None:
        with pytest.raises(RuntimeError, match=r"^check_spawner: a loop is running here"):
            check_spawner(Helper().spawn)

    asyncio.run(inside())


def test_logging_is_put_back() -> None:
    factory, handlers = logging.getLogRecordFactory(), logging.getLogger().handlers[:]
    check(Helper())
    assert logging.getLogRecordFactory() is factory
    assert logging.getLogger().handlers == handlers


def test_nothing_is_left_of_a_bad_helper() -> None:
    before = threading.active_count()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for bad in (LosesErrors, Swallows, ForgetsTheUnbegun, KeepsNone, LeavesItOpen, KeepsForEver):
            with suppress(ConformanceError):
                check(bad())
        gc.collect()
    assert [str(one.message) for one in warned] == []
    assert threading.active_count() == before


def plain(text: str) -> str:
    """Return a message without what changes: numbers of tasks, lines, the address of the docs."""
    text = re.sub(r"Task-\d+", "Task-7", re.sub(r"(_kit\.py):\d+", r"\1:7", text))
    return text.replace("https://pytest-taskleak.readthedocs.io/en/latest/reference/testing.html", "PAGE")


GOLDEN = """\
the helper fire_and_forget() breaks 6 rules:

SP2  lets no error get lost
    tried    fire_and_forget(coro) whose coroutine raises, its result dropped
    seen     neither the loop's exception handler nor a logged warning told it: the error is lost
    fix      def ended(task):
                 if not task.cancelled() and (error := task.exception()):
                     logger.error("%s failed", task.get_name(), exc_info=error)
             task.add_done_callback(ended)
    PAGE#sp2

SP3  does not swallow cancelling
    tried    task.cancel() while the coroutine was at its 1st suspension
    seen     the task ended with the result None, not as cancelled
    fix      let CancelledError pass; catch no more than Exception, and await the coroutine itself, without shield():
                 try:
                     return await coro
                 except Exception:
                     logger.exception("%s failed", name)
    PAGE#sp3

SP4  closes a coroutine that never began
    tried    task.cancel() before the first step of the coroutine
    seen     the coroutine was neither run nor closed: Python warns that it was never awaited
    fix      task.add_done_callback(lambda _: coro.close())  # does nothing to one that has ended
    PAGE#sp4

SP7  gives a name that says something
    tried    fire_and_forget(a coroutine)
    seen     the task is called 'Task-7'
    fix      name = name or getattr(coro, "__qualname__", type(coro).__qualname__)
    PAGE#sp7

SP8  keeps a reference
    tried    fire_and_forget(coro), its result dropped, then gc.collect() while the coroutine waited
    seen     the task was collected while it was pending; its work is lost
    fix      tasks.add(task)  # a set of the module or of the instance
             task.add_done_callback(tasks.discard)
    PAGE#sp8

SP11  fails at once where no loop runs
    tried    fire_and_forget(coro) in a plain function, no loop running
    seen     the coroutine was not closed: Python warns that it was never awaited
    fix      try:
                 loop = asyncio.get_running_loop()
             except RuntimeError:
                 coro.close()
                 raise RuntimeError("fire_and_forget() needs a running event loop") from None
    PAGE#sp11"""


def fire_and_forget(coro: Work) -> None:
    async def quiet() -> None:
        with suppress(BaseException):
            await coro

    asyncio.create_task(quiet())


def test_the_message() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_spawner(fire_and_forget)
    assert plain(str(caught.value)) == GOLDEN
    assert caught.value.subject == "the helper fire_and_forget()"
    assert caught.value.kind == ""
