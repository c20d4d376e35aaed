"""Does a storm judge code fairly that does what public libraries do, and tests of one's own seldom?"""

from __future__ import annotations

import asyncio
from typing import Any

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.catalogue import CATALOGUE
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.sweep import Sweep

AXES = ("stop", "cancel", "kill")


class Service:
    """Runs one task."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.run(), name=repr(asyncio.Event()))

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def run(self) -> None:
        await asyncio.sleep(0.01)


def swept(service: type[Any]) -> StormReport:
    return Sweep(maker(service), None, "Service", AXES).sweep()


def test_a_wait_that_rounds_to_nothing_comes_to_its_end() -> None:
    class Dripping(Service):
        async def run(self) -> None:
            loop = asyncio.get_running_loop()
            began, turn = loop.time(), asyncio.Event()
            while loop.time() == began:
                loop.call_at(began + 1e-20, turn.set)
                await turn.wait()
                turn.clear()

    report = swept(Dripping)
    assert report.causes == []
    assert report.points < 50


def test_a_task_that_is_named_after_an_object_is_the_same_in_each_run() -> None:
    class Failing(Service):
        async def stop(self) -> None:
            return

        async def run(self) -> None:
            await asyncio.Event().wait()

    assert swept(Service).deterministic
    report = swept(Failing)
    assert report.deterministic
    assert [cause.oracle for cause in report.causes] == ["T"]
    assert "0x" not in report.causes[0].where


def test_what_a_task_tells_of_itself_is_heard() -> None:
    class Telling(Service):
        async def run(self) -> None:
            told = {"message": "odd", "task": asyncio.current_task()}
            asyncio.get_running_loop().call_exception_handler(told)

    (cause,) = swept(Telling).causes
    assert (cause.oracle, cause.text) == ("E", "odd")


def test_a_main_that_is_cancelled_before_it_begins_leaves_nothing() -> None:
    async def main() -> None:
        await asyncio.sleep(100)

    report = Sweep(maker(main), None, "main", AXES).sweep()
    assert report.causes == []


class CannotStart:
    """Needs a dependency to start."""

    def __init__(self, env: Env) -> None:
        self.call = env.dep("db")

    async def start(self) -> None:
        await self.call("migrate")

    async def stop(self) -> None:
        await asyncio.sleep(0.001)


def test_a_stop_is_waited_for_when_the_start_fails_meanwhile() -> None:
    flaky = CATALOGUE["S6"].world.of(maker(CannotStart))
    seeds = range(8)
    report = Sweep(flaky, None, "CannotStart", ("stop", "cancel"), tuple(seeds)).sweep()
    assert [cause.text for cause in report.causes if cause.scale == "violation"] == []
    assert report.runs > len(seeds)


class Holding:
    """Keeps its task, which fails where a client goes away, and never asks it how it ended."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.answer())

    async def ask(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(future)
        await future

    async def answer(self) -> None:
        while True:
            future = await self.asked.get()
            await asyncio.sleep(0.005)
            future.set_result(None)  # of a client that is gone: InvalidStateError

    async def stop(self) -> None:
        if self.task is not None and not self.task.done():  # asked or cancelled, it would be silent
            self.task.cancel()
            await asyncio.wait({self.task})


async def one_question(service: Holding, env: Env) -> None:
    async def client() -> None:
        await service.ask()

    env.client(client())


def test_what_failed_is_told_though_the_service_keeps_it() -> None:
    report = Sweep(maker(Holding), one_question, "Holding", ("kill",)).sweep()
    found = {cause.text for cause in report.causes if cause.oracle == "E" and cause.scale == "violation"}
    assert found == {"Task exception was never retrieved: InvalidStateError('invalid state')"}
