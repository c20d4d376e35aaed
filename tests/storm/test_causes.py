"""Is each cause told once, with all who are in it; are different ones kept apart; and does what failed still fail?"""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pytest_taskleak
from pytest_taskleak.engine.unwatched import unwatched
from pytest_taskleak.report import storm_words
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.catalogue import chosen
from pytest_taskleak.storm.causes import Causes, joined, of_run, once, same
from pytest_taskleak.storm.plan import Plan
from pytest_taskleak.storm.results import Cause, StormReport
from pytest_taskleak.storm.scenarios import perform
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.verdicts import ORACLES, Scale, Violation


def left(name: str, place: str = "S.work+3", runs: str = "S.work") -> Violation:
    """Return what is said of a task that is left."""
    text = f"task {name!r} at {runs}:3 -> sleep(), born s.py:9 in S.start"
    return Violation("T", text, f"{name}:{place}", task=name, runs=runs)


def client(name: str) -> Violation:
    return Violation("Q", f"client {name!r} at ask:3 -> S.get:9", "S.get+2", task=name, runs="ask")


BLOCKED = Violation("B", "nothing can wake anything any more; 'stop-0' at S.stop:3", "S.stop+2")
LOST = Violation("L", "item 1 was accepted and is lost", "ledger")
FORCED = Violation("L", "item 1 was accepted and is lost", "ledger", "forced loss")


def always(token: str) -> Callable[[], str]:
    return lambda: token


def told(*violations: Violation) -> dict[str, str]:
    """Return what one run tells: letter and place -> text."""
    return {" ".join(one.key): one.violation.text for one in once(violations)}


# --- tasks that differ in a number ------------------------------------------------------------------------


def test_workers_are_one_cause() -> None:
    found = told(left("worker-0"), left("worker-1"), left("worker-2"))
    (text,) = found.values()
    assert list(found) == ["T worker-*:S.work+3"]
    assert text.startswith("task 'worker-0' (and worker-1, worker-2) at S.work:3")


def test_of_many_some_are_named() -> None:
    (text,) = told(*(left(f"worker-{number}") for number in range(9))).values()
    assert "'worker-0' (and worker-1, worker-2, worker-3 and 5 more) at " in text


@pytest.mark.parametrize(
    "other",
    [
        left("worker-1", place="S.work+4"),
        left("worker-1", place="S.rest+3"),
        left("worker-1", runs="S.other"),
        left("writer-1"),
        left("worker"),
        left("worker-one"),
        Violation("X", "cancelled, and still there", "worker-1:S.work+3", task="worker-1", runs="S.work"),
    ],
)
def test_others_are_causes_of_their_own(other: Violation) -> None:
    assert len(once([left("worker-0"), other])) == 2


def test_what_they_run_is_told_where_they_stand_in_something_else() -> None:
    shared = [left(f"worker-{n}", place="Pool.get+1", runs=f"S.{run}") for n, run in enumerate("aab")]
    assert list(told(*shared)) == ["T worker-*:Pool.get+1 in S.a", "T worker-*:Pool.get+1 in S.b"]


def test_a_name_without_numbers_stays_as_it_is() -> None:
    assert list(told(left("flusher"))) == ["T flusher:S.work+3"]


def test_runs_are_counted_once_each() -> None:
    causes = Causes()
    for point, names in enumerate((("worker-1", "worker-2"), ("worker-0",), ("worker-2", "worker-0"))):
        causes.note([left(name) for name in names], Plan("stop", point), lambda: "t")
    (cause,) = causes.listed()
    assert cause.count == 3
    assert cause.point == 0
    assert "'worker-1' (and worker-2) at" in cause.text


# --- deadlocks --------------------------------------------------------------------------------------------


def test_a_deadlock_is_told_once_with_those_in_it() -> None:
    found = told(BLOCKED, left("worker-0"), left("worker-1"), client("a"), client("b"), LOST)
    assert list(found) == ["B S.stop+2 with worker-*:S.work+3", "L ledger"]
    text = found["B S.stop+2 with worker-*:S.work+3"]
    assert text == (
        f"{BLOCKED.text}; with it task 'worker-0' (and worker-1) at S.work:3 -> sleep(); "
        "client 'a' (and b) at ask:3 -> S.get:9"
    )


def test_without_a_deadlock_each_is_told() -> None:
    assert list(told(left("worker-0"), client("a"))) == ["T worker-*:S.work+3", "Q S.get+2"]


def test_what_is_no_failure_is_not_hidden_in_one() -> None:
    unsure = Violation("Q", "client 'a': nobody knows", "cut@S.get", "indeterminate", task="a")
    assert list(told(BLOCKED, unsure)) == ["B S.stop+2", "Q cut@S.get"]


def test_what_comes_without_the_deadlock_too_is_a_cause_of_its_own() -> None:
    causes = Causes()
    causes.note([BLOCKED, left("worker-0")], Plan("stop", 1), lambda: "first")
    causes.note([left("worker-1")], Plan("stop", 2), lambda: "second")
    assert [(one.oracle, one.token, one.count) for one in causes.listed()] == [
        ("B", "first", 1),
        ("T", "second", 1),
    ]


def test_who_is_left_tells_deadlocks_apart() -> None:
    causes = Causes()
    for point, name in enumerate(("flusher", "keeper", "flusher")):
        causes.note([BLOCKED, left(name)], Plan("stop", point), lambda: "t")
    assert {one.where: one.count for one in causes.listed()} == {
        "S.stop+2 with flusher:S.work+3": 2,
        "S.stop+2 with keeper:S.work+3": 1,
    }


def test_a_deadlock_in_which_more_are_left_is_the_same() -> None:
    causes = Causes()
    both = [BLOCKED, left("flusher"), left("keeper")]
    causes.note(both, Plan("stop", 0), lambda: "both")
    causes.note([BLOCKED, left("flusher")], Plan("stop", 1), lambda: "one")
    (cause,) = causes.listed()
    assert (cause.where, cause.count, cause.token) == ("S.stop+2 with flusher:S.work+3", 2, "one")
    assert same(cause, [BLOCKED, left("flusher")]) is not None
    assert same(cause, both) is None


def test_a_deadlock_with_nobody_left_takes_no_other_in() -> None:
    causes = Causes()
    causes.note([BLOCKED], Plan("stop", 0), lambda: "t")
    causes.note([BLOCKED, left("flusher")], Plan("stop", 1), lambda: "t")
    assert len(causes.listed()) == 2


# --- what fails, fails ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(FORCED, LOST), (LOST, FORCED)])
def test_a_cause_is_as_bad_as_the_worst_of_it(order: tuple[Violation, Violation]) -> None:
    causes = Causes()
    for point, violation in enumerate(order):
        causes.note([violation], Plan("stop", point), always(violation.scale))
    (cause,) = causes.listed()
    assert (cause.scale, cause.count, cause.token) == ("violation", 2, "violation")
    (alone,) = of_run(order, Plan("stop", 0), "t")
    assert (alone.scale, alone.count) == ("violation", 1)


def test_the_earliest_on_its_axis_tells_it() -> None:
    causes = Causes()
    for axis, point in (("stop", 9), ("stop", 4), ("cancel", 1), ("stop", 6)):
        causes.note([LOST], Plan(axis, point), always(f"{axis}@{point}"))
    (cause,) = causes.listed()
    assert (cause.token, cause.axis, cause.point, cause.count) == ("stop@4", "stop", 4, 4)


class Held:
    """Waits at its stop for two workers, and those for a gate that opens no more."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.gate.set()
        self.workers = [asyncio.create_task(self.work(), name=f"worker-{number}") for number in range(2)]

    async def work(self) -> None:
        await asyncio.sleep(0.01)
        await self.gate.wait()

    async def stop(self) -> None:
        self.gate.clear()
        await asyncio.gather(*self.workers)

    async def ask(self) -> None:
        await self.gate.wait()


async def asking(service: Held) -> None:
    await service.ask()
    await asyncio.sleep(0.005)
    await service.ask()


def test_of_a_real_deadlock_nothing_is_told_twice() -> None:
    with unwatched():
        report = Sweep(maker(Held), asking, "Held", ("stop",)).sweep()
    (cause,) = report.causes
    assert cause.oracle == "B"
    assert cause.where == "Held.stop+2 with worker-*:Held.work+2"
    assert "'worker-0' (and worker-1) at Held.work" in cause.text
    assert cause.count == report.axes[0].failing > 2
    assert report.failing


# --- one place, and what was not begun --------------------------------------------------------------------


def test_causes_are_made_in_one_place() -> None:
    house = Path(pytest_taskleak.__file__).parent / "storm"
    makes = [
        path.name
        for path in sorted(house.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Cause.__name__
    ]
    assert makes == ["causes.py"]


class Tidy:
    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return


def budgeted(budget: float | None, service: Any = Tidy) -> StormReport:
    choice = chosen("stop, S6, S8")
    with unwatched():
        return perform(choice, Sweep(maker(service), None, "Tidy", choice.axes, budget=budget))


def test_what_was_not_begun_is_told() -> None:
    report = budgeted(0.0)
    assert not report.complete
    assert report.not_begun == ["S6", "S8"]
    assert "not begun: S6, S8" in storm_words.notes(storm_words.values_of(report))


def test_where_all_was_swept_nothing_is_missing() -> None:
    report = budgeted(None)
    assert report.complete
    assert report.not_begun == []
    assert storm_words.notes(storm_words.values_of(report)) == []


def test_a_service_that_fails_of_itself_is_not_tried_further() -> None:
    class Fails(Tidy):
        async def stop(self) -> None:
            raise RuntimeError("no")

    report = budgeted(None, Fails)
    assert report.not_begun == ["S6", "S8"]
    assert storm_words.notes(storm_words.values_of(report)) == [], "the headline says that nothing was swept"


def test_one_cause_in_two_worlds_is_told_once() -> None:
    """As the plain sweep tells it, unless the other one is worse; what the ledger says is told of each world."""
    plain = a_cause("R", "pool", 3, "stop@a~0")
    other = a_cause("R", "pool", 2, "S6/stop@b~0")
    worse = a_cause("R", "pool", 1, "S8/stop@c~0", scale="violation")
    [one] = joined([plain, other])
    assert (one.count, one.token, one.scale) == (5, "stop@a~0", "forced loss")
    [one] = joined([plain, other, worse])
    assert (one.count, one.token, one.scale) == (6, "S8/stop@c~0", "violation")
    assert len(joined([a_cause("L", "ledger", 1, "stop@a~0"), a_cause("L", "ledger", 1, "S6/stop@b~0")])) == 2


def a_cause(oracle: str, where: str, count: int, token: str, *, scale: Scale = "forced loss") -> Cause:
    place: dict[str, Any] = {"axis": "stop", "point": 1, "token": token, "seed": 0}
    told: dict[str, Any] = {"oracle": oracle, "name": ORACLES[oracle], "text": "it is so", "where": where}
    return Cause(scale=scale, count=count, **told, **place)
