"""A broker in memory with tasks that are kicked and run."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

taskiq: Any = importlib.import_module("taskiq")


class Shut:
    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.broker: Any = None

    async def start(self) -> None:
        self.broker = taskiq.InMemoryBroker()

        async def work(item: int) -> None:
            try:
                await self.db(item)
            except (asyncio.CancelledError, ConnectionError):
                self.env.drop(item, "told")
                raise
            self.env.finish(item)

        self.task = self.broker.register_task(work, task_name="work")
        await self.broker.startup()

    async def stop(self) -> None:
        await self.broker.shutdown()


class Waited(Shut):
    async def stop(self) -> None:
        await self.broker.wait_all()
        await self.broker.shutdown()


async def load(service: Shut, env: Env) -> None:
    for item in range(3):
        await service.task.kiq(env.accept(item))


CASES = [
    Case(
        "taskiq",
        "InMemoryBroker.shutdown()",
        Shut,
        load,
        {"stop": "T", "cancel": "T", "stop2": "T", "kill": "L"},
    ),
    Case("taskiq", "the same, wait_all() first", Waited, load, {"kill": "L"}),
]
