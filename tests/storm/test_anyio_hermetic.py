"""Services on anyio under a storm: is each run the same again, are threads virtual, and is anyio left as it was?"""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio._backends import _asyncio as backend

from pytest_taskleak.adapt.anyio_hermetic import AnyioInOrder, InOrder
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.sweep import Sweep

LIVES = itertools.count()
AXES = ("stop", "cancel", "stop2", "kill")


class Service:
    """Runs ten scopes side by side, each with a child; all of them are cancelled at the end."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.ended: list[int] = []
        self.task: asyncio.Task[None] | None = None
        places = [backend.CancelScope() for _ in range(40)]
        self.gaps = places[next(LIVES) % 5 :: 3]  # so that scopes have other addresses in each life

    async def start(self) -> None:
        self.task = asyncio.create_task(self.main(), name="main")

    async def main(self) -> None:
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(self.child, number, name=f"child-{number}")

    async def child(self, number: int) -> None:
        with anyio.CancelScope():
            try:
                await self.work(number)
            finally:
                self.ended.append(number)

    async def work(self, number: int) -> None:
        await anyio.sleep(50)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})


class Threads(Service):
    """Does its work in threads."""

    async def work(self, number: int) -> None:
        assert await anyio.to_thread.run_sync(threading.get_ident) == threading.get_ident()
        begun = asyncio.get_running_loop().time()
        await anyio.to_thread.run_sync(lambda: None)
        assert asyncio.get_running_loop().time() > begun


def swept(target: type[Service]) -> StormReport:
    return Sweep(maker(target), None, target.__name__, AXES, (0, 1)).sweep()


@pytest.mark.parametrize("target", [Service, Threads])
def test_a_sound_service_on_anyio_is_sound_and_the_same_again(target: type[Service]) -> None:
    threads = threading.active_count()
    report = swept(target)
    assert [cause.text for cause in report.causes if cause.scale == "violation"] == []
    assert report.deterministic, report.divergence
    assert threading.active_count() == threads


def test_children_of_a_task_group_are_not_cancelled_alone() -> None:
    (kill,) = [axis for axis in swept(Service).axes if axis.axis == "kill"]
    assert 0 < kill.planned <= 6, "main alone, in both schedules"


def test_anyio_is_left_as_it_was() -> None:
    before: list[Any] = [vars(backend.CancelScope)["__init__"]]
    before.append(vars(backend.AsyncIOBackend)["run_sync_in_worker_thread"])
    world = AnyioInOrder()
    world.install()
    assert vars(backend.CancelScope)["__init__"] is not before[0]
    assert isinstance(backend.CancelScope()._child_scopes, InOrder)
    world.uninstall()
    assert vars(backend.CancelScope)["__init__"] is before[0]
    assert vars(backend.AsyncIOBackend)["run_sync_in_worker_thread"] is before[1]


def test_outside_of_a_simulated_loop_threads_are_threads() -> None:
    world = AnyioInOrder()
    world.install()
    try:
        assert anyio.run(anyio.to_thread.run_sync, threading.get_ident) != threading.get_ident()
    finally:
        world.uninstall()


def test_a_set_in_order_does_what_anyio_asks_of_it() -> None:
    things = InOrder("ba")
    things.add("c")
    things.add("a")
    assert list(things) == ["b", "a", "c"]
    things.discard("x")
    things.discard("b")
    things.remove("a")
    assert "c" in things
    assert len(things) == 1
    with pytest.raises(KeyError):
        things.remove("a")
