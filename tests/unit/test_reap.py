"""What becomes of the tasks that are removed, counted exactly, and within bounds?"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_, spinning
from pytest_taskleak.detectors.handles import detector as timers
from pytest_taskleak.detectors.tasks import detector as tasks
from pytest_taskleak.diagnosis import NONE_REAPED, Diagnosis, Reaped
from pytest_taskleak.engine import reap as reaping
from pytest_taskleak.engine.outcome import Outcome, Resistance, times
from pytest_taskleak.engine.reap import cancel_all, reap, reap_here, remove
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.model import Birth, Finding, Owner

Body = Callable[[], Coroutine[Any, Any, Any]]
Loop = asyncio.AbstractEventLoop
STAY = [True]
"""Emptied when the tasks are to end after all."""
STARTED: list[asyncio.Task[Any]] = []


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def returns() -> None:
    try:
        await forever()
    except asyncio.CancelledError:
        return


async def raises() -> None:
    try:
        await forever()
    finally:
        raise ValueError("while ending")


async def swallows() -> None:
    while STAY:
        try:  # noqa: SIM105 -- what is shown
            await forever()
        except asyncio.CancelledError:
            pass


async def swallows_once() -> None:
    try:
        await forever()
    except asyncio.CancelledError:
        await forever()


async def cleans_up() -> None:
    try:
        await forever()
    finally:
        while STAY:
            await asyncio.sleep(0)


async def cleans_up_twice() -> None:
    try:
        await forever()
    finally:
        try:
            await forever()
        finally:
            while STAY:
                await asyncio.sleep(0)


async def spins() -> None:
    try:
        await forever()
    except asyncio.CancelledError:
        numbers = [3, 2, 1]
        while True:
            numbers.sort()


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Return a loop that is turned by hand, whose tasks end in the end."""
    made = asyncio.new_event_loop()
    STARTED.clear()
    made.set_exception_handler(lambda *_: None)
    yield made
    STAY.clear()
    for _ in range(2):
        for task in asyncio.all_tasks(made):
            task.cancel()
        asyncio_.turn(made, 8)
    STAY.append(True)
    made.close()
    for task in STARTED:
        if not task.cancelled():
            task.exception()  # it counts as asked for


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the bounds short; nothing here needs real time to end."""
    monkeypatch.setattr(reaping, "SLOW", 0.01)
    monkeypatch.setattr(reaping, "BOUND", 0.01)
    monkeypatch.setattr(reaping, "CLOSE_BOUND", 0.05)
    monkeypatch.setattr(spinning, "PATIENCE", 0.05)
    monkeypatch.setattr(spinning, "PERIOD", 0.01)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Abandon nothing for good: these tests end what they make."""
    monkeypatch.setattr(reaping, "abandon", lambda _: None)


def made(loop: Loop, *bodies: Body) -> list[asyncio.Task[Any]]:
    """Start tasks."""
    started = [loop.create_task(body(), name=body.__name__) for body in bodies]
    STARTED.extend(started)
    asyncio_.turn(loop, 2)
    return started


def left(*things: asyncio.Task[Any]) -> list[Leftover]:
    """Return tasks as leftovers."""
    return [Leftover(tasks, thing, None) for thing in things]


def waits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the list of the tasks for which real time was spent."""
    waited: list[Any] = []

    def run_until_done(_: Loop, pending: list[Any], bound: float) -> None:
        waited.extend(task for task in pending if not task.done())

    monkeypatch.setattr(reaping, "run_until_done", run_until_done)
    return waited


ONE_OF_EACH = (forever, returns, raises, swallows, swallows_once, spins)
EACH_FATE = Reaped(cancelled=2, completed=1, errors=1, timed_out=2, stuck=2)


def test_counts_on_a_loop_that_lives_on(loop: Loop) -> None:
    outcome = reap(left(*made(loop, *ONE_OF_EACH)), 0.01)
    assert outcome.reaped == EACH_FATE
    assert outcome.reaped.total == len(ONE_OF_EACH)
    assert [item.thing.get_name() for item in outcome.remaining] == ["swallows"]


def test_counts_from_inside_the_loop(loop: Loop) -> None:
    things = left(*made(loop, *ONE_OF_EACH))
    outcome = loop.run_until_complete(reap_here(things, 0.01))
    assert outcome.reaped == EACH_FATE


@pytest.mark.usefixtures("own")
def test_counts_when_a_loop_closes(loop: Loop) -> None:
    told: list[Any] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    started = made(loop, *ONE_OF_EACH)
    outcome = cancel_all(loop, started)
    assert outcome.reaped == EACH_FATE
    assert [str(context["exception"]) for context in told] == ["while ending"]
    assert {t.get_name() for t in started if id(t) in outcome.resisting} == {
        "swallows",
        "swallows_once",
        "spins",
    }


def test_only_tasks_are_counted(loop: Loop) -> None:
    handle = loop.call_later(3600, print)
    outcome = reap([Leftover(timers, handle, None)], 0.01)
    assert outcome.reaped == NONE_REAPED
    assert outcome.remaining == []


def test_parts_are_counted_with_what_awaits_them(loop: Loop) -> None:
    inner, other = made(loop, forever, returns)

    async def outer() -> None:
        await asyncio.gather(inner, other)

    (root,) = made(loop, outer)
    item = Leftover(tasks, root, None, parts=left(inner, other))
    outcome = remove([item], lambda items: reap(items, 0.01))
    assert outcome.reaped == Reaped(cancelled=2, completed=1)


def test_a_part_that_resists_is_asked_by_itself(loop: Loop) -> None:
    (inner,) = made(loop, swallows)

    async def outer() -> None:
        await inner

    (root,) = made(loop, outer)
    item = Leftover(tasks, root, None, parts=left(inner))
    outcome = remove([item], lambda items: reap(items, 0.01))
    assert outcome.reaped == Reaped(timed_out=2, stuck=2)
    details = dict(told(outcome, item).resource.details)
    assert "swallows: except asyncio.CancelledError" in details["swallowed"]


def test_what_is_abandoned_is_not_waited_for_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = made(loop, swallows)
    references = sys.getrefcount(task)
    remove(left(task), lambda items: reap(items, 0.01))
    assert sys.getrefcount(task) == references + 1, "it is immortal"
    waited = waits(monkeypatch)
    cancel_all(loop, [task], told=True)
    assert waited == []
    assert sys.getrefcount(task) == references + 1


@pytest.mark.usefixtures("own")
def test_one_that_cleans_up_is_not_disturbed_before_the_end(loop: Loop) -> None:
    cleaning, swallowing = made(loop, cleans_up, swallows)
    outcome = cancel_all(loop, [cleaning, swallowing])
    assert outcome.evidence[id(cleaning)].seconds == reaping.CLOSE_BOUND
    assert outcome.evidence[id(swallowing)].seconds == reaping.SLOW + reaping.BOUND


def test_a_long_chain_ends_at_once(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = made(loop, forever)

    async def member(after: asyncio.Task[Any]) -> None:
        await after

    for _ in range(999):
        chain.append(loop.create_task(member(chain[-1])))
    asyncio_.turn(loop, 2)
    waited = waits(monkeypatch)
    assert cancel_all(loop, chain[::-1]).reaped == Reaped(cancelled=1000)
    assert waited == []


def test_a_task_of_another_thread(loop: Loop) -> None:
    """Its loop runs elsewhere: it is asked there."""
    started: list[asyncio.Task[Any]] = []
    ready = threading.Event()

    async def main() -> None:
        started.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)
        ready.set()
        await asyncio.wait(started)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    ready.wait()
    outcome = reap(left(*started), 5)
    thread.join()
    assert outcome.reaped == Reaped(cancelled=1)


# --- telling --------------------------------------------------------------------------------------


def told(outcome: Outcome, item: Leftover, diagnosis: Diagnosis | None = None) -> Finding:
    """Return the finding of a leftover after it was removed."""
    found = Finding(
        kind="task",
        resource=tasks.describe(item.thing),
        owner=Owner(kind="test", name="test_it"),
        birth=Birth(),
        advice="as it was",
        diagnosis=diagnosis,
    )
    return outcome.told(item, found, "")


def test_what_is_told_of_one_that_swallows(loop: Loop) -> None:
    (item,) = left(*made(loop, swallows))
    found = told(reap([item], 0.5), item, Diagnosis(finality="wakeable"))
    assert (found.code, found.resource.state) == ("TL104", "ignores cancellation")
    (cancelled, swallowed) = found.resource.details
    assert cancelled == ("cancelled", "twice to remove it, and went on for 1 s and longer")
    assert swallowed[0] == "swallowed"
    assert swallowed[1].endswith("swallows: except asyncio.CancelledError")
    assert found.diagnosis is not None
    assert (found.diagnosis.finality, found.diagnosis.cause) == ("swallows", "swallowed-cancel")
    assert "let CancelledError through" in found.advice


def test_a_proof_is_kept(loop: Loop) -> None:
    (item,) = left(*made(loop, swallows))
    proven = Diagnosis(finality="stuck", ends="never")
    assert told(reap([item], 0.01), item, proven).diagnosis == proven


def test_what_the_code_under_test_had_cancelled(loop: Loop) -> None:
    (task,) = made(loop, swallows)
    task.cancel()
    asyncio_.turn(loop, 2)
    assert tasks.describe(task).details == (("cancelled", "once, and went on"),)
    (item,) = left(task)
    details = told(reap([item], 0.01), item).resource.details
    assert details[0] == ("cancelled", "once before; twice to remove it, and went on for 0.02 s and longer")


def test_one_that_ends_late_is_no_stuck_one(loop: Loop) -> None:
    (item,) = left(*made(loop, swallows_once))
    found = told(reap([item], 0.01), item)
    assert found.code == "TL101"
    (cancelled, still) = found.resource.details
    assert cancelled == ("cancelled", "twice to remove it: it did not end within 0.01 s")
    assert (still[0], still[1].rpartition("  ")[2]) == ("still at", "forever")


def test_one_that_hangs_in_its_cleanup(loop: Loop) -> None:
    (item,) = left(*made(loop, cleans_up_twice))
    found = told(reap([item], 0.01), item)
    assert (found.code, found.resource.state) == ("TL104", "hangs in its cleanup")
    (cancelled, cleanup) = found.resource.details
    assert cancelled == ("cancelled", "twice to remove it, and went on for 0.02 s and longer")
    assert cleanup[0] == "cleanup"
    assert cleanup[1].endswith("cleans_up_twice: finally, still in it")
    assert "asyncio.timeout" in found.advice


def test_one_that_spins(loop: Loop) -> None:
    (item,) = left(*made(loop, spins))
    found = told(reap([item], 0.01), item, Diagnosis())
    assert (found.code, found.resource.state) == ("TL106", "spins without ever waiting")
    (label, text) = found.resource.details[-1]
    assert (label, text.rpartition("  ")[2]) == ("spins", "spins")
    assert found.diagnosis is not None
    assert found.diagnosis.finality == "spins"


def test_one_that_spins_before_anybody_cancels_it(loop: Loop) -> None:
    (task,) = made(loop, spins)
    task.cancel()
    with spinning.noting([task]):
        asyncio_.turn(loop, 2)
    assert task.done()
    assert tasks.alive(task), "it is still to be told"
    resource = tasks.describe(task)
    assert (resource.code, resource.waiting[-1].qualname) == ("TL106", "spins")
    assert not tasks.remove(task)
    assert not tasks.alive(task)


def test_nothing_is_kept_of_what_was_removed(loop: Loop) -> None:
    import weakref

    (task,) = made(loop, swallows_once)
    STARTED.clear()
    reference = weakref.ref(task)
    outcome = reap(left(task), 0.01)
    del task
    gc.collect()
    assert reference() is None
    assert outcome.reaped == Reaped(cancelled=1, timed_out=1)


@pytest.mark.parametrize(
    ("count", "text"), [(1, "once"), (2, "twice"), (3, "3 times"), (9, "more than 3 times")]
)
def test_times(count: int, text: str) -> None:
    assert times(count) == text


def test_nothing_to_tell_of_no_resistance() -> None:
    assert Resistance(spins=None, asked=1, ended=True, first=1.0).story() == (
        "once to remove it: it did not end within 1 s"
    )
