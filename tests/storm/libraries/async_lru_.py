"""A cache of results that several callers wait for at once; results expire."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

async_lru: Any = importlib.import_module("async_lru")


class Cached:
    """Keeps all results for ever."""

    ttl: float | None = None
    size: int | None = None

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.get: Any = None

    async def start(self) -> None:
        async def get(item: int) -> None:
            await self.db(item)

        self.get = async_lru.alru_cache(maxsize=self.size, ttl=self.ttl)(get)

    async def stop(self) -> None:
        await self.get.cache_close()

    async def ask(self, item: int) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.get(item)


class Small(Cached):
    """Has room for two, and is asked for three at once."""

    size = 2


class Expiring(Cached):
    ttl = 60.0


class Emptied(Expiring):
    async def stop(self) -> None:
        await super().stop()
        self.get.cache_clear()


def load(service: Cached, env: Env) -> None:
    for number in range(6):
        env.client(service.ask(number // 2))


CASES = [
    Case("async-lru", "alru_cache, cache_close()", Cached, load),
    Case("async-lru", "the same with maxsize=2", Small, load, {"stop": "T", "cancel": "T", "stop2": "T"}),
    Case("async-lru", "the same with ttl=60", Expiring, load, {"baseline": "t"}),
    Case("async-lru", "the same, and cache_clear()", Emptied, load),
]
