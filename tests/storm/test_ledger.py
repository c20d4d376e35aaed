"""What becomes of an item in the ledger whose client goes away before the service has answered?"""

from __future__ import annotations

import asyncio
from typing import Any

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.sweep import Sweep


class Desk:
    """Takes an item on, works on it in the task of who asks, and has it done.

    Parameters:
        env: of the run.
        says: whether the service itself enters the item into the ledger.
        loses: whether an item is lost that somebody else was promised.
    """

    def __init__(self, env: Env, *, says: bool = False, loses: bool = False) -> None:
        self.env, self.says, self.loses = env, says, loses
        self.done: list[Any] = []
        self.call = env.dep("db")

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""

    async def hand_in(self, item: Any) -> None:
        if self.says:
            self.env.accept(item)
        await self.call(item)
        self.done.append(item)

    async def hand_in_two(self, item: Any, other: Any) -> None:
        await self.call(item)
        self.done += [item, other]


def done(service: Desk) -> list[Any]:
    return service.done


def scales(service: Any, load: Any) -> set[tuple[str, str]]:
    """Sweep the axis `kill`; return the items that are told, and how bad it is."""
    causes = Sweep(maker(service), load, "Desk", ("kill",), done=done).sweep().causes
    assert {cause.oracle for cause in causes} <= {"L"}
    return {(cause.text.split()[1].rstrip(":"), cause.scale) for cause in causes}


async def asks(service: Desk, env: Env) -> None:
    async def client() -> None:
        await service.hand_in(env.accept(1))

    env.client(client())


async def tells(service: Desk, env: Env) -> None:
    async def client() -> None:
        await service.hand_in(1)

    env.client(client())


async def leaves_early(service: Desk, env: Env) -> None:
    """The service has answered for the first item when the client goes away with the second one."""

    async def client() -> None:
        env.accept(1)
        await asyncio.sleep(0.001)
        await service.hand_in_two(env.accept(2), 1)

    env.client(client())


def test_a_request_without_an_answer_is_indeterminate() -> None:
    assert scales(Desk, asks) == {("1", "indeterminate")}


def test_what_the_service_has_said_that_it_took_on_is_lost() -> None:
    assert scales(lambda env: Desk(env, says=True), tells) == {("1", "violation")}


def test_only_the_latest_item_waits_for_an_answer() -> None:
    assert scales(Desk, leaves_early) == {("1", "violation"), ("2", "indeterminate")}


async def drops(service: Desk, env: Env) -> None:
    async def client() -> None:
        item = env.accept(1)
        try:
            await service.hand_in(item)
        except asyncio.CancelledError:
            env.drop(item)
            raise

    env.client(client())


def test_an_item_is_dropped_without_many_words() -> None:
    assert scales(Desk, drops) == set()


def test_a_call_in_a_pool_is_told_by_its_name() -> None:
    def slow_query() -> None:
        return

    class Querying:
        async def start(self) -> None:
            self.query = asyncio.ensure_future(asyncio.to_thread(slow_query))

        async def stop(self) -> None:
            self.query.cancel()
            await asyncio.wait({self.query})

    report = Sweep(maker(Querying), None, "Querying", ("stop",)).sweep()
    texts = [cause.text for cause in report.causes if cause.oracle == "H"]
    assert texts == [f"{slow_query.__qualname__}() still runs in a pool after the stop"]
