"""Shapes of a load: when does each item arrive, and what becomes of those that arrive after the stop?"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.storm import shapes
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import Limits

sys.path.insert(0, str(Path(__file__).resolve().parent))

from sweeping import ALL, Swept


def test_arrivals_of_each_shape() -> None:
    assert shapes.arrivals("burst", 3, 10) == [0, 0, 0]
    assert shapes.arrivals("steady", 4, 10) == [0, 0.1, 0.2, pytest.approx(0.3)]
    ramp = shapes.arrivals("ramp", 8, 10)
    gaps = [after - before for before, after in itertools.pairwise(ramp)]
    assert gaps == sorted(gaps, reverse=True), "ever faster"
    assert 1.6 - ramp[-1] == pytest.approx(0.1, rel=0.1), "at its end the rate is what was asked for"
    spike = shapes.arrivals("spike", 10, 10)
    assert spike == sorted(spike)
    assert [spike.count(time) for time in dict.fromkeys(spike)] == [1, 1, 1, 3, 1, 1, 1, 1]


@pytest.mark.parametrize("shape", sorted(shapes.SHAPES))
def test_no_items_and_one(shape: str) -> None:
    assert shapes.arrivals(shape, 0, 10) == []
    assert shapes.arrivals(shape, 1, 10) == [0]


@pytest.mark.parametrize(
    ("shape", "count", "rate", "what"),
    [("wave", 1, 1.0, "'wave'"), ("burst", -1, 1.0, "-1"), ("steady", 1, 0.0, "0"), ("steady", 1, float("nan"), "nan")],
)  # fmt: skip
def test_what_is_no_load_is_refused(shape: str, count: int, rate: float, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        shapes.arrivals(shape, count, rate)
    with pytest.raises(ValueError, match=what):
        shapes.opened(submit, count, shape=shape, rate=rate)


def test_a_closed_load_needs_a_caller() -> None:
    with pytest.raises(ValueError, match="callers=0"):
        shapes.closed(submit, callers=0)


class Queued:
    """Works on what is in its queue; at the end it finishes what it has taken on.

    Parameters:
        env: the world.
        refuses: whether it takes nothing more on when it ends.
    """

    def __init__(self, env: Env, *, refuses: bool = True) -> None:
        self.env = env
        self.refuses = refuses
        self.store = env.dep("store")
        self.queue: asyncio.Queue[int | None] = asyncio.Queue()
        self.closing = False
        self.worker: asyncio.Task[Any] | None = None
        self.at_work = 0
        self.times: list[float] = []

    async def start(self) -> None:
        self.worker = asyncio.create_task(self.work(), name="worker")

    def put(self, item: int) -> None:
        self.times.append(self.env.loop.time())
        if self.closing and self.refuses:
            raise ConnectionError("closed")
        self.queue.put_nowait(self.env.accept(item))

    async def work(self) -> None:
        while (item := await self.queue.get()) is not None:
            await self.store(item)
            self.env.finish(item)

    async def call(self) -> None:
        """Answer after a while; at most three at a time may ask."""
        self.at_work += 1
        assert self.at_work <= 3
        await self.store()
        self.at_work -= 1

    async def stop(self) -> None:
        if not self.closing:
            self.closing = True
            self.queue.put_nowait(None)
        if self.worker is not None:
            await asyncio.wait({self.worker})


def submit(service: Any, env: Env, item: int) -> None:
    """Hand in one item."""
    service.put(item)


@pytest.mark.parametrize("shape", sorted(shapes.SHAPES))
def test_an_open_load_goes_on_after_the_stop(shape: str) -> None:
    late = shapes.opened(submit, 5, shape=shape, late=4)
    clean = Swept(Queued, late, Limits(), ("stop", "stop2", "cancel"))
    assert clean.told() == []
    accepts = Swept(lambda env: Queued(env, refuses=False), late, Limits(), ("stop", "stop2"))
    assert accepts.letters("baseline") == accepts.letters("stop") == "L", (
        "what came late was taken on, and lost"
    )
    assert (
        Swept(lambda env: Queued(env, refuses=False), shapes.opened(submit, 5, shape=shape)).letters(
            "baseline"
        )
        == ""
    )


def test_items_arrive_when_they_should() -> None:
    seen: list[Queued] = []

    def make(env: Env) -> Queued:
        seen.append(Queued(env))
        return seen[-1]

    Swept(make, shapes.opened(submit, 6, shape="spike", rate=100), axes=("stop",))
    first = seen[0].times
    assert [time - first[0] for time in first] == pytest.approx([0, 0.01, 0.01, 0.01, 0.04, 0.05])


def test_a_closed_load_waits_for_its_answers() -> None:
    load = shapes.closed(lambda service, env, _: service.call(), 9, callers=3, pause=0.001, within=1.0)
    assert Swept(Queued, load, axes=ALL).told() == []


def test_callers_of_an_open_load_get_their_answers() -> None:
    load = shapes.opened(lambda service, env, _: service.call(), 3, shape="burst")
    assert Swept(Queued, load, axes=ALL).told() == []


def test_a_caller_without_an_answer_is_told() -> None:
    load = shapes.opened(lambda service, env, _: asyncio.Event().wait(), 1)
    assert Swept(Queued, load, axes=("stop",)).letters("stop") == "Q"
    slow = shapes.closed(lambda service, env, _: asyncio.sleep(2), 3, callers=1, within=5.0)
    assert Swept(Queued, slow, axes=("stop",)).letters("baseline") == "Q"


@pytest.mark.parametrize("forgets", [True, False])
def test_entities_join_and_leave(forgets: bool) -> None:
    class Entities:
        def __init__(self) -> None:
            self.beats: dict[int, asyncio.Task[Any]] = {}
            self.open = True

        async def start(self) -> None:
            """Begin."""

        def join(self, number: int) -> None:
            if self.open:
                self.beats[number] = asyncio.create_task(asyncio.sleep(3600), name=f"entity-{number}")

        def leave(self, number: int) -> None:
            task = self.beats.pop(number, None)
            if task is not None and not forgets:
                task.cancel()

        async def stop(self) -> None:
            self.open = False
            for task in self.beats.values():
                task.cancel()

    load = shapes.churn(lambda s, env, n: s.join(n), lambda s, env, n: s.leave(n), 6)
    swept = Swept(lambda env: Entities(), load, axes=("stop", "cancel", "stop2", "kill"))
    assert swept.letters("baseline") == swept.letters("stop") == ("T" if forgets else "")


PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "shutdown-storm.md"


def test_the_reference_has_each_function_with_its_defaults() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## Load shapes\n")[2].partition("\n## ")[0]
    for name in shapes.__all__:
        value: Any = getattr(shapes, name)
        if not inspect.isfunction(value):
            continue
        signature = inspect.signature(value)
        bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
        text = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
        assert f"`{name}{text.replace(repr(shapes.REFUSALS), '(ConnectionError,)')}`" in section, name
    rows = [f"| `{shape}` | {what} |" for shape, what in shapes.SHAPES.items()]
    assert [row for row in section.splitlines() if row in rows] == rows
