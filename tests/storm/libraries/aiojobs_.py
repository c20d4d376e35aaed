"""A scheduler of jobs with a limit: closed at once, or waited for first."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

aiojobs: Any = importlib.import_module("aiojobs")


class Closed:
    """Hands items to jobs; a job that is cancelled says so."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.scheduler: Any = None

    async def start(self) -> None:
        self.scheduler = aiojobs.Scheduler(limit=2, pending_limit=2, exception_handler=self.failed)

    async def stop(self) -> None:
        await self.scheduler.close()

    async def submit(self, item: int) -> None:
        await self.scheduler.spawn(self.work(item))
        self.env.accept(item)

    async def work(self, item: int) -> None:
        try:
            await self.db(item)
        except (asyncio.CancelledError, ConnectionError):
            self.env.drop(item, "told")
            raise
        self.env.finish(item)

    def failed(self, scheduler: Any, context: dict[str, Any]) -> None:
        """Take a failure: the job has told of it."""


class Waited(Closed):
    async def stop(self) -> None:
        await self.scheduler.wait_and_close()


async def load(service: Closed) -> None:
    for item in range(6):
        with contextlib.suppress(RuntimeError):  # it is closed
            await service.submit(item)


CASES = [
    Case(
        "aiojobs",
        "Scheduler.close()",
        Closed,
        load,
        {"stop": "LTW", "cancel": "LTW", "stop2": "LTW", "kill": "L"},
    ),
    Case("aiojobs", "Scheduler.wait_and_close()", Waited, load, {"kill": "L"}),
]
