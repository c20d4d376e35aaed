"""A rate limiter that callers wait for."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

aiolimiter: Any = importlib.import_module("aiolimiter")


class Limited:
    """Three workers share one limiter."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.limiter = aiolimiter.AsyncLimiter(2, 0.01)
        self.workers = [asyncio.create_task(self.work(), name=f"worker-{n}") for n in range(3)]

    async def stop(self) -> None:
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)

    async def work(self) -> None:
        while True:
            item = await self.queue.get()
            try:
                async with self.limiter:
                    await self.db(item)
            except ConnectionError:
                continue


def load(service: Limited) -> None:
    for item in range(8):
        service.queue.put_nowait(item)


CASES = [Case("aiolimiter", "AsyncLimiter", Limited, load)]
