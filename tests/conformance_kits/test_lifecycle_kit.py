"""Does `check_lifecycle` pass good services, and name the one rule that a bad one breaks?"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest

from pytest_taskleak.conformance.lifecycle_rules import LIFECYCLE
from pytest_taskleak.testing import ConformanceError, check_lifecycle

SOON = 0.5
"""The deadline of services that hang, in seconds."""


class Good:
    """A service that keeps every rule; the bad ones differ in one method."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.tasks: list[asyncio.Task[None]] = []
        self.running = False

    async def start(self) -> None:
        async with self.lock:
            if not self.running:
                await self.begin()

    async def begin(self) -> None:
        try:
            await self.connect()
            self.work()
            await asyncio.sleep(0)
            self.work()
        except BaseException:
            await self.end()
            raise
        self.running = True

    async def connect(self) -> None:
        await asyncio.sleep(0)

    def work(self) -> None:
        task = asyncio.get_running_loop().create_task(self.poll(), name=f"poller-{len(self.tasks)}")
        self.tasks.append(task)

    async def poll(self) -> None:
        while True:
            await asyncio.sleep(60)

    async def stop(self) -> None:
        async with self.lock:
            await self.end()

    async def end(self) -> None:
        self.running = False
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


def broken_rules(service: Callable[[], Any], **options: Any) -> list[str]:
    with pytest.raises(ConformanceError) as caught:
        check_lifecycle(service, **options)
    return list(dict.fromkeys(failure.rule for failure in caught.value.failures))


def test_a_good_service_passes() -> None:
    check_lifecycle(Good)


# --- one bad service for each rule ----------------------------------------------------------------


class CannotStart(Good):
    async def begin(self) -> None:
        raise OSError("no such host")


class NeverStarted(Good):
    async def begin(self) -> None:
        await asyncio.Event().wait()


class ForgetsATask(Good):
    def work(self) -> None:
        super().work()
        if len(self.tasks) == 2:
            self.forgotten = self.tasks.pop()


class ForgetsATimer(Good):
    async def begin(self) -> None:
        await super().begin()
        self.timer = asyncio.get_running_loop().call_later(60, print)


class ForgetsAThread(Good):
    async def begin(self) -> None:
        await super().begin()
        self.over = threading.Event()
        threading.Thread(target=self.over.wait, args=(20,), name="reader", daemon=True).start()

    def __del__(self) -> None:
        if hasattr(self, "over"):
            self.over.set()


class NeverStops(Good):
    async def end(self) -> None:
        if self.running:
            await asyncio.Event().wait()
        await super().end()


class IgnoresCancelling(Good):
    """`stop` waits for a worker that swallows every cancellation."""

    async def poll(self) -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)


class BoundedInName(Good):
    """A waiter stays behind when the time is over, and nobody is told."""

    async def poll(self) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(60)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=0.01)


class DoublesItself(Good):
    async def start(self) -> None:
        async with self.lock:
            await self.begin()


class RaisesWhenStoppedTwice(Good):
    stopped = False

    async def end(self) -> None:
        if self.stopped and not self.running:
            raise RuntimeError("already stopped")
        await super().end()
        self.stopped = True

    async def start(self) -> None:
        self.stopped = False
        await super().start()


class NeedsAStart(Good):
    started = False

    async def start(self) -> None:
        self.started = True
        await super().start()

    async def stop(self) -> None:
        if not self.started:
            raise RuntimeError("not started")
        await super().stop()


class StartsOnce(Good):
    once = False

    async def begin(self) -> None:
        if not self.once:
            self.once = True
            await super().begin()


class ReusesItsEvent(Good):
    """The event that ends the work is still set in the second cycle."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    async def poll(self) -> None:
        await self.over.wait()

    async def end(self) -> None:
        self.over.set()
        await super().end()


class AwaitsTheDead(Good):
    """`stop` raises what a task of its own ended with."""

    async def end(self) -> None:
        for task in self.tasks if self.running else ():
            if task.cancelled():
                await task
        await super().end()


class StopsWithoutWaitingForStart(Good):
    async def stop(self) -> None:
        await self.end()


class LeavesAHalf(Good):
    """A `start` that is cancelled between its two tasks leaves the first."""

    async def begin(self) -> None:
        try:
            await self.connect()
        except BaseException:
            await self.end()
            raise
        self.work()
        await asyncio.sleep(0)
        self.work()
        self.running = True


class SwallowsInStart(Good):
    async def connect(self) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)


class OneStopOnly(Good):
    """The second of two callers fails."""

    stopping = False

    async def stop(self) -> None:
        if self.stopping:
            raise RuntimeError("already stopping")
        self.stopping = True
        try:
            await super().stop()
        finally:
            self.stopping = False


class StopsHalfWay(Good):
    """A flag says that it has stopped, before it has."""

    async def end(self) -> None:
        if not self.running and not self.tasks:
            return
        tasks, self.tasks, self.running = self.tasks, [], False
        await asyncio.sleep(0)  # says goodbye
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Remembers(Good):
    results: list[object] = []  # noqa: RUF012 -- the mistake

    async def end(self) -> None:
        await super().end()
        self.results.append({"self": self})


class DiesAtOnce(Good):
    async def poll(self) -> None:
        raise OSError("port is taken")


class LeavesALot(Good):
    """Its start fails when a part of it runs already."""

    async def begin(self) -> None:
        self.work()
        await asyncio.sleep(0)
        raise OSError("no such host")


BAD: list[tuple[type[Good], str]] = [
    (CannotStart, "LC1"),
    (NeverStarted, "LC1"),
    (ForgetsATask, "LC2"),
    (ForgetsATimer, "LC2"),
    (ForgetsAThread, "LC2"),
    (NeverStops, "LC2"),
    (DoublesItself, "LC3"),
    (RaisesWhenStoppedTwice, "LC4"),
    (NeedsAStart, "LC5"),
    (StartsOnce, "LC6"),
    (ReusesItsEvent, "LC6"),
    (AwaitsTheDead, "LC7"),
    (StopsWithoutWaitingForStart, "LC8"),
    (LeavesAHalf, "LC9"),
    (SwallowsInStart, "LC9"),
    (OneStopOnly, "LC10"),
    (StopsHalfWay, "LC11"),
    (Remembers, "LC12"),
    (DiesAtOnce, "LC13"),
]


@pytest.mark.parametrize(("bad", "rule"), BAD, ids=[bad.__name__ for bad, _ in BAD])
def test_a_bad_service_breaks_exactly_its_rule(bad: type[Good], rule: str) -> None:
    begun = time.monotonic()
    assert broken_rules(bad, deadline=SOON) == [rule]
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("bad", [IgnoresCancelling, BoundedInName])
def test_what_resists_is_told_for_stop_and_for_a_cancelled_start(bad: type[Good]) -> None:
    assert broken_rules(bad, deadline=SOON) == ["LC2", "LC9"]


class Blocks(Good):
    """A plain function that never returns."""

    def stop(self) -> None:  # type: ignore[override]
        threading.Event().wait(20)


class Spins(Good):
    def stop(self) -> None:  # type: ignore[override]
        until = time.monotonic() + 20
        while time.monotonic() < until:
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="the main thread cannot be interrupted there")
@pytest.mark.parametrize("bad", [Blocks, Spins])
def test_a_stop_that_blocks_the_loop_is_told(bad: type[Good]) -> None:
    before, begun = signal.getsignal(signal.SIGURG), time.monotonic()
    with pytest.raises(ConformanceError, match=r"did not return within 0.5 s; it blocks the loop at .*:\d+"):
        check_lifecycle(bad, deadline=SOON)
    assert time.monotonic() - begun < 15
    assert signal.getsignal(signal.SIGURG) is before


def test_a_start_that_fails_leaves_nothing() -> None:
    check_lifecycle(Good, failing=CannotStart)
    assert broken_rules(Good, failing=[CannotStart, LeavesALot]) == ["LC14"]
    assert broken_rules(Good, failing=Good) == ["LC14"]


def test_every_rule_has_a_bad_service() -> None:
    assert {rule for _, rule in BAD} | {"LC14"} == {clause.code for clause in LIFECYCLE}


# --- what may be declared -------------------------------------------------------------------------


class Refuses(Good):
    """A second start and an early stop are errors."""

    async def start(self) -> None:
        if self.running:
            raise RuntimeError("already started")
        await super().start()

    async def stop(self) -> None:
        if not hasattr(self, "begun"):
            raise RuntimeError("not started")
        await super().stop()

    async def begin(self) -> None:
        self.begun = True
        await super().begin()


class Once(Good):
    used = False

    async def begin(self) -> None:
        if self.used:
            raise RuntimeError("it can be started once")
        self.used = True
        await super().begin()


def test_errors_may_be_declared() -> None:
    check_lifecycle(Refuses, start_twice="error", stop_first="error")
    assert broken_rules(Refuses, start_twice="ok", stop_first="error") == ["LC3"]
    assert broken_rules(Good, start_twice="error", stop_first="error") == ["LC3", "LC5"]
    check_lifecycle(Good, start_twice="ok")
    check_lifecycle(Once, restart="error")
    assert broken_rules(Once) == ["LC6"]
    assert broken_rules(Good, restart="error") == ["LC6"]


def test_it_may_be_asked_whether_it_lives() -> None:
    check_lifecycle(Good, alive=lambda service: service.running)
    assert broken_rules(Good, alive=lambda service: not service.running) == ["LC13"]

    async def asks(service: Good) -> bool:
        await asyncio.sleep(0)
        return service.running

    check_lifecycle(Good, alive=asks)


# --- shapes ---------------------------------------------------------------------------------------


class Threaded:
    """Plain functions, and a thread."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.thread: threading.Thread | None = None

    def open(self) -> None:
        if self.thread is None:
            self.over.clear()
            self.thread = threading.Thread(target=self.over.wait, args=(20,), name="reader")
            self.thread.start()

    def close(self) -> None:
        self.over.set()
        if self.thread is not None:
            self.thread.join()
            self.thread = None


def test_plain_functions_of_other_names_pass() -> None:
    check_lifecycle(Threaded, start="open", stop="close")


class Grouped:
    """It takes a task group, or does without."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, tg: asyncio.TaskGroup | None = None) -> None:
        if self.is_running():
            return
        make = asyncio.get_running_loop().create_task if tg is None else tg.create_task
        self.tasks = [make(self.poll(), name=f"worker-{number}") for number in range(3)]

    def is_running(self) -> bool:
        return any(not task.done() for task in self.tasks)

    async def poll(self) -> None:
        await asyncio.sleep(60)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


class Flagged(Grouped):
    """The flag is not cleared when the group is aborted."""

    running = False

    def is_running(self) -> bool:
        before, self.running = self.running, True
        return before

    async def stop(self) -> None:
        self.running = False
        await super().stop()


class NeedsAGroup(Grouped):
    async def start(self, tg: asyncio.TaskGroup) -> None:  # type: ignore[override]
        await super().start(tg)


def test_a_service_is_tried_with_a_group_and_without() -> None:
    check_lifecycle(Grouped)
    check_lifecycle(NeedsAGroup)
    with pytest.raises(ConformanceError) as caught:
        check_lifecycle(Flagged)
    (failure,) = caught.value.failures
    assert failure.rule == "LC7"
    assert dict(failure.rows)["calls"].startswith("start(tg=group), ")
    check_lifecycle(Flagged, tg=None)


@asynccontextmanager
async def managed() -> AsyncIterator[list[asyncio.Task[None]]]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(60), name="poller")
        await asyncio.sleep(0)
        yield [task]
        task.cancel()


@asynccontextmanager
async def forgetful() -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(asyncio.sleep(60), name="poller")
    await asyncio.sleep(0)
    yield
    task.cancel()


@contextmanager
def plainly() -> Iterator[None]:
    yield


def test_context_managers_pass() -> None:
    check_lifecycle(managed)
    check_lifecycle(plainly)


def test_a_context_manager_that_is_cancelled_leaves_a_task() -> None:
    assert broken_rules(forgetful) == ["LC9"]


def test_what_is_neither_is_told() -> None:
    with pytest.raises(TypeError, match=r"^check_lifecycle: int has no start\(\), and is no context manager"):
        check_lifecycle(int)
    with pytest.raises(TypeError, match=r"^check_lifecycle: Threaded has no begin\(\)"):
        check_lifecycle(Threaded, start="begin", stop="close")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"start": "a b"}, TypeError, "start must be a name - got 'a b'"),
        ({"tg": 1}, TypeError, "tg must be a name - got 1"),
        ({"start_twice": "no"}, ValueError, "start_twice must be one of 'ok', 'error', None - got 'no'"),
        ({"stop_first": None}, ValueError, "stop_first must be one of 'ok', 'error' - got None"),
        ({"restart": True}, ValueError, "restart must be one of 'ok', 'error' - got True"),
        ({"failing": 3}, TypeError, "failing must make a service, or be several that do - got 3"),
        ({"alive": 3}, TypeError, "alive must be callable - got 3"),
        ({"loop_factory": 3}, TypeError, "loop_factory must be callable - got 3"),
        ({"deadline": -1}, ValueError, "deadline must be seconds, more than 0 - got -1"),
    ],
)
def test_a_bad_argument_is_told(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=f"^check_lifecycle: {text}"):
        check_lifecycle(Good, **options)


def test_a_service_must_be_made() -> None:
    with pytest.raises(TypeError, match=r"^check_lifecycle: Service must be callable"):
        check_lifecycle(object())  # type: ignore[arg-type]

    class Fails(Good):
        def __init__(self) -> None:
            raise OSError("no config")

    assert broken_rules(Fails) == ["LC1"]


def test_a_running_loop_is_refused() -> None:
    async def inside() -> None:
        with pytest.raises(RuntimeError, match=r"^check_lifecycle: a loop is running here"):
            check_lifecycle(Good)

    asyncio.run(inside())


class Several(Good):
    """Started twice it doubles itself; it forgets nothing of what was begun, but the first half."""

    async def start(self) -> None:
        await self.connect()
        self.work()
        await asyncio.sleep(0)

    async def stop(self) -> None:
        if not self.tasks:
            raise RuntimeError("not started")
        await self.end()


def plain(text: str) -> str:
    """Return a message without what changes: numbers of tasks, lines, the address of the docs."""
    text = re.sub(r"Task-\d+", "Task-7", re.sub(r"(_kit\.py):\d+", r"\1:7", text))
    return text.replace("https://pytest-taskleak.readthedocs.io/en/latest/reference/testing.html", "PAGE")


GOLDEN = """\
the service Several breaks 5 rules:

LC3  started twice, doubles nothing
    calls    start(), start(), stop()
    seen     the second start() has made 1 task Good.poll more
    fix      if self._running:
                 raise RuntimeError("already started")  # or: return
    PAGE#lc3

LC4  stopped twice, stays stopped
    calls    start(), stop(), stop()
    seen     the second stop() raised RuntimeError: not started  (tests/conformance_kits/test_lifecycle_kit.py:7 stop)
    fix      task, self._task = self._task, None
             if task is None:
                 return
    PAGE#lc4

LC5  stopped before it was started, does no harm
    calls    stop()
    seen     stop() raised RuntimeError: not started  (tests/conformance_kits/test_lifecycle_kit.py:7 stop)
    fix      task, self._task = self._task, None
             if task is None:
                 return
    PAGE#lc5

LC8  can be stopped while it starts
    calls    start(), stop() in another task at suspension 1 of start()
    seen     stop() raised RuntimeError: not started  (tests/conformance_kits/test_lifecycle_kit.py:7 stop)
    left     task 'poller-0' (Good.poll) is still pending, born tests/conformance_kits/test_lifecycle_kit.py:7 Good.work
    fix      async with self._lock:  # one asyncio.Lock, in start() and in stop()
                 ...  # a second stop() finds that nothing is left to do
    PAGE#lc8

LC9  leaves nothing when its start is cancelled
    calls    start(), cancelled at suspension 2
    left     task 'poller-0' (Good.poll) is still pending, born tests/conformance_kits/test_lifecycle_kit.py:7 Good.work
    fix      try:
                 ...  # what start() does
             except BaseException:
                 await self.stop()  # ends what was begun
                 raise
    PAGE#lc9"""


def test_the_message() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_lifecycle(Several)
    assert plain(str(caught.value)) == GOLDEN
