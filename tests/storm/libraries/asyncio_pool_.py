"""A pool of coroutines with clients that wait for their results: cancelled, or joined."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

asyncio_pool: Any = importlib.import_module("asyncio_pool")


class Cancelled:
    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.pool: Any = None
        self.open = False

    async def start(self) -> None:
        self.pool = asyncio_pool.AioPool(size=2)
        self.open = True

    async def stop(self) -> None:
        self.open = False  # a pool has no door of its own
        await self.pool.cancel()
        await self.pool.join()

    async def ask(self, item: int) -> None:
        if self.open:
            with contextlib.suppress(ConnectionError):
                await self.pool.exec(self.db(item))


class Joined(Cancelled):
    async def stop(self) -> None:
        self.open = False
        await self.pool.join()


def load(service: Cancelled, env: Env) -> None:
    for item in range(4):
        env.client(service.ask(item))


CASES = [
    Case(
        "asyncio-pool",
        "AioPool.cancel(), join()",
        Cancelled,
        load,
        {"stop": "BKQW", "cancel": "BKQW", "stop2": "BKQW", "kill": "BKQW"},
    ),
    Case("asyncio-pool", "AioPool.join()", Joined, load, {"kill": "BKQW"}),
]
