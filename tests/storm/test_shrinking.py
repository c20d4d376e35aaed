"""A failure is told by its fewest items and its earliest moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.results import Cause
from pytest_taskleak.storm.shrinking import Shrunk, asked, rising, shrink
from pytest_taskleak.storm.sweep import Sweep, each

ITEMS = 14


class Batches:
    """Writes items in batches of three; what is in a batch that is not full is written at the stop.

    Its bug: a batch that is being written when the stop comes is lost.
    """

    def __init__(self, env: Env) -> None:
        self.env = env
        self.store = env.dep("store", latency=(0.01, 0.01))
        self.batch: list[Any] = []
        self.work: asyncio.Queue[Any] = asyncio.Queue()

    async def start(self) -> None:
        self.task = asyncio.create_task(self.run(), name="writer")

    async def run(self) -> None:
        while True:
            self.batch.append(await self.work.get())
            if len(self.batch) == 3:
                batch, self.batch = self.batch, []
                await self.store(batch)
                self.done(batch)

    def done(self, batch: list[Any]) -> None:
        for item in batch:
            self.env.finish(item)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        while not self.work.empty():
            self.batch.append(self.work.get_nowait())
        self.done(self.batch)
        self.batch = []


def load(service: Batches, env: Env) -> None:
    for item in env.items(ITEMS):
        service.work.put_nowait(env.accept(item))


def load_of(count: int) -> Callable[[Batches, Env], None]:
    def load(service: Batches, env: Env) -> None:
        for item in range(count):
            service.work.put_nowait(env.accept(item))

    return load


def fixed_load(service: Batches, env: Env) -> None:
    load_of(ITEMS)(service, env)


def swept(load: Any, *axes: str, service: Any = Batches, items: int = -1) -> tuple[Sweep, Cause]:
    """Return a sweep and the worst thing that it has found."""
    sweep = Sweep(maker(service), load, "Batches", axes or ("stop",))
    report = sweep.sweep()
    return sweep, report.causes[0]


def fails(sweep: Sweep, found: Shrunk, token: str) -> bool:
    wanted = (found.cause.oracle, found.cause.where)
    return wanted in {(v.oracle, v.where) for v in sweep.replay(token).violations}


@pytest.mark.parametrize("load", [load, asked(load_of, ITEMS)], ids=["asks", "made"])
@pytest.mark.parametrize("axis", ["stop", "cancel", "stop2", "kill", "pair"])
def test_the_fewest_items_and_the_earliest_point(load: Any, axis: str) -> None:
    sweep, cause = swept(load, axis)
    found = shrink(sweep, cause)
    assert (cause.oracle, cause.where) == (found.cause.oracle, found.cause.where) == ("L", "ledger")
    assert (found.items, found.of_items) == (3, ITEMS)
    assert found.proven
    assert found.text.startswith(f"3 items of 14, point {found.place} of {found.of_places}")
    assert found.cause.count == cause.count
    assert fails(sweep, found, found.cause.token)
    assert ",items=3" in found.cause.token

    def small(service: Batches, env: Env) -> None:
        load_of(3)(service, env)

    outcomes = list(each(Sweep(maker(Batches), small, "Batches", (axis,))))
    failing = [n for n, outcome in enumerate(outcomes) if any(v.oracle == "L" for v in outcome.violations)]
    assert failing[0] == found.place
    assert found.of_places == len(outcomes)


def test_two_items_never_fail() -> None:
    def small(service: Batches, env: Env) -> None:
        load_of(2)(service, env)

    report = Sweep(maker(Batches), small, "Batches", ("stop", "cancel", "kill")).sweep()
    assert report.causes == []


def test_a_load_that_cannot_be_asked_is_made_earlier_only() -> None:
    sweep, cause = swept(fixed_load)
    late = replace(cause, point=cause.point + 5, token=f"stop@{cause.point + 5}")
    found = shrink(sweep, late)
    assert (found.items, found.of_items) == (-1, 0)
    assert found.place == found.cause.point == cause.point
    assert found.cause.token == cause.token
    assert found.text == f"point {cause.point} of {sweep.baseline(0).outcome.points}"
    assert found.proven


def test_a_fault_is_shrunk_to_its_first_call() -> None:
    sweep, cause = swept(load, "fault")
    found = shrink(sweep, replace(cause, token="fault,store:2+"))  # noqa: S106
    assert found.items == 3
    assert found.cause.token == "fault,items=3,store:0"  # noqa: S105
    assert fails(sweep, found, found.cause.token)


def test_what_fails_without_a_trigger_is_shrunk_to_that() -> None:
    class Forgets(Batches):
        async def stop(self) -> None:
            self.batch.clear()
            await super().stop()

    sweep, cause = swept(load, service=Forgets)
    assert cause.axis == "baseline"
    found = shrink(sweep, cause)
    assert (found.items, found.place) == (1, -1)
    assert found.text == "1 item of 14, no trigger"
    assert found.cause.token == "baseline,items=1"  # noqa: S105
    assert fails(sweep, found, found.cause.token)


def test_a_small_load_may_need_no_trigger() -> None:
    """What a cause of another axis shrinks to may be the baseline itself."""

    class Odd(Batches):
        async def stop(self) -> None:
            if self.env.wanted and len(self.env.ledger.accepted) == 1:
                self.work.get_nowait() if not self.work.empty() else self.batch.clear()
            await super().stop()

    sweep, cause = swept(load, service=Odd)
    assert cause.axis == "stop"
    assert shrink(sweep, cause).text == "1 item of 14, no trigger"


def test_many_items_are_halved() -> None:
    class Few(Batches):
        async def run(self) -> None:
            while True:
                item = await self.work.get()
                if item == 45:
                    await asyncio.sleep(0.01)  # lost, if the stop comes here
                self.env.finish(item)

    def many(service: Batches, env: Env) -> None:
        for item in env.items(60):
            service.work.put_nowait(env.accept(item))

    sweep, cause = swept(many, service=Few)
    found = shrink(sweep, cause, runs=20_000, seconds=60)
    assert found.items == 46
    assert not found.proven
    assert found.text.endswith("(not all that is smaller was tried)")


def test_runs_are_bounded() -> None:
    sweep, cause = swept(load)
    for runs in (0, 1, 5, 26):
        before = sweep.runs
        found = shrink(sweep, cause, runs=runs)
        assert sweep.runs - before <= runs
        assert found.runs <= runs
        assert not found.proven
        assert fails(sweep, found, found.cause.token)


def test_seconds_are_bounded() -> None:
    sweep, cause = swept(load)
    found = shrink(sweep, cause, seconds=0)
    assert (found.runs, found.proven) == (0, False)
    assert found.cause == cause


def test_what_does_not_come_any_more() -> None:
    sweep, cause = swept(load)
    with pytest.raises(LookupError, match="does not come any more"):
        shrink(sweep, replace(cause, where="nowhere"))


def test_the_numbers_that_are_tried() -> None:
    assert list(rising(3)) == [0, 1, 2, 3]
    assert list(rising(60)) == [*range(17), 24, 36, 54, 60]


def test_a_load_asks_twice() -> None:
    env = Env(0, None, most=4)
    assert [*env.items(3)] == [0, 1, 2]
    assert [*env.items(3)] == [0]
    assert [*env.items(3)] == []
    assert env.wanted == 9
