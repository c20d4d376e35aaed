"""A queue between threads and a loop, its loop side alone: workers, a shutdown, a close."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

janus: Any = importlib.import_module("janus")


class Queued:
    def __init__(self, env: Env) -> None:
        self.env = env
        self.db = env.dep("db")
        self.queue: Any = None
        self.workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.queue = janus.Queue(maxsize=2)
        self.workers = [asyncio.create_task(self.work(), name=f"worker-{n}") for n in range(2)]

    async def stop(self) -> None:
        self.queue.shutdown()
        await asyncio.gather(*self.workers, return_exceptions=True)
        await self.queue.aclose()

    async def work(self) -> None:
        while True:
            try:
                item = await self.queue.async_q.get()
            except janus.AsyncQueueShutDown:
                return
            try:
                await self.db(item)
            except (ConnectionError, asyncio.CancelledError) as error:
                self.env.drop(item, "told")
                if isinstance(error, asyncio.CancelledError):
                    raise
            else:
                self.env.finish(item)
            finally:
                self.queue.async_q.task_done()

    async def submit(self, item: int) -> None:
        try:
            await self.queue.async_q.put(item)
        except janus.AsyncQueueShutDown:
            return
        self.env.accept(item)


async def load(service: Queued, env: Env) -> None:
    for item in range(4):
        env.client(service.submit(item))


CASES = [Case("janus", "Queue.shutdown(), aclose()", Queued, load)]
