"""Groups of tasks that outlive the failure of one of them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import warnings
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

aiotools: Any = importlib.import_module("aiotools")


class Supervised:
    """Jobs in a supervisor that is an attribute of a service."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.group: Any = None
        self.open = False

    async def start(self) -> None:
        self.group = aiotools.Supervisor()
        await self.group.__aenter__()
        self.open = True

    async def stop(self) -> None:
        self.open = False
        await self.group.aclose()

    async def ask(self, item: int) -> None:
        if self.open:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await self.group.create_task(self.db(item))


class Persistent(Supervised):
    async def start(self) -> None:
        with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
            self.group = aiotools.PersistentTaskGroup(exception_handler=self.failed)
        self.open = True

    async def failed(self, *_: object) -> None:
        """Take a failure: its client is told."""

    async def stop(self) -> None:
        self.open = False
        await self.group.shutdown()


def load(service: Supervised, env: Env) -> None:
    for item in range(3):
        env.client(service.ask(item))


CASES = [
    Case("aiotools", "Supervisor", Supervised, load),
    Case(
        "aiotools",
        "PersistentTaskGroup",
        Persistent,
        load,
        {"stop": "QW", "cancel": "QW", "stop2": "QW", "kill": "EQW"},
    ),
]
