"""A scheduler whose jobs run at once, on the loop."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

schedulers: Any = importlib.import_module("apscheduler.schedulers.asyncio")


class Scheduled:
    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.scheduler: Any = None

    async def start(self) -> None:
        self.scheduler = schedulers.AsyncIOScheduler(timezone=dt.UTC)
        self.scheduler.start()

    async def stop(self) -> None:
        if self.scheduler.running:
            self.scheduler.shutdown()

    async def work(self, item: int) -> None:
        try:
            await self.db(item)
        except (asyncio.CancelledError, ConnectionError):
            self.env.drop(item, "told")
            raise
        self.env.finish(item)


def load(service: Scheduled, env: Env) -> None:
    for item in range(3):
        service.scheduler.add_job(service.work, args=[env.accept(item)], misfire_grace_time=None)


CASES = [
    Case(
        "APScheduler",
        "AsyncIOScheduler.shutdown()",
        Scheduled,
        load,
        {"stop": "L", "cancel": "L", "stop2": "EL", "kill": "L"},
    ),
]
