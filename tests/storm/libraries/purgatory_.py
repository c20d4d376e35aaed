"""A circuit breaker round a dependency."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

purgatory: Any = importlib.import_module("purgatory")


class Broken:
    def __init__(self, env: Env) -> None:
        self.db = env.dep("db")

    async def start(self) -> None:
        self.breakers = purgatory.AsyncCircuitBreakerFactory(default_threshold=2, default_ttl=0.01)

    async def stop(self) -> None:
        return

    async def ask(self, item: int) -> None:
        with contextlib.suppress(ConnectionError):
            async with await self.breakers.get_breaker("db"):
                await self.db(item)


def load(service: Broken, env: Env) -> None:
    for item in range(3):
        env.client(service.ask(item))


CASES = [Case("purgatory", "AsyncCircuitBreakerFactory", Broken, load)]
