"""A lock in a cache that lets one caller compute what all wait for."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

aiocache: Any = importlib.import_module("aiocache")
RedLock: Any = importlib.import_module("aiocache.lock").RedLock


class Locked:
    ttl: float | None = None

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db", result=lambda item: item)
        RedLock._EVENTS.clear()

    async def start(self) -> None:
        self.cache = aiocache.SimpleMemoryCache()
        self.asked: list[asyncio.Task[int]] = []
        self.open = True

    async def stop(self) -> None:
        self.open = False
        await asyncio.gather(*self.asked, return_exceptions=True)
        await self.cache.close()

    async def ask(self, key: str) -> None:
        if self.open:
            self.asked.append(asyncio.ensure_future(self.value(key)))
            with contextlib.suppress(ConnectionError):
                await self.asked[-1]

    async def value(self, key: str) -> int:
        async with RedLock(self.cache, key, lease=2):
            found: int | None = await self.cache.get(key)
            if found is not None:
                return found
            value: int = await self.db(1)
            await self.cache.set(key, value, ttl=self.ttl)
            return value


class Expiring(Locked):
    ttl = 60


class Emptied(Expiring):
    async def stop(self) -> None:
        await super().stop()
        await self.cache.clear()


def load(service: Locked, env: Env) -> None:
    for number in range(4):
        env.client(service.ask("ab"[number // 3]))


CASES = [
    Case("aiocache", "RedLock on SimpleMemoryCache", Locked, load),
    Case("aiocache", "the same, values with a ttl", Expiring, load, {"baseline": "t"}),
    Case("aiocache", "the same, and clear()", Emptied, load, {"baseline": "t"}),
]
