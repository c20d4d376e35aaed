"""A service with background tasks, and a connection that is closed in the one hook or in the other."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

mode: Any = importlib.import_module("mode")


class Closing(mode.Service):  # type: ignore[misc]
    """Closes its connection in `on_stop`."""

    def __init__(self, env: Env) -> None:
        super().__init__()
        self.env = env
        self.db = env.dep("db")
        self.connection = env.resource("connection")
        self.queue: asyncio.Queue[int] = asyncio.Queue()

    async def on_start(self) -> None:
        self.connection.open()

    async def on_stop(self) -> None:
        self.connection.close()

    async def work(self) -> None:
        while not self.should_stop:
            item = await self.queue.get()
            try:
                self.connection.use()
                await self.db(item)
                self.connection.use()
            except ConnectionError:
                continue

    one = mode.Service.task(work)
    other = mode.Service.task(work)


class Later(Closing):
    """Closes its connection in `on_shutdown`."""

    async def on_stop(self) -> None:
        return

    async def on_shutdown(self) -> None:
        self.connection.close()


def load(service: Any) -> None:
    for item in range(4):
        service.queue.put_nowait(item)


def made(kind: Any) -> Callable[[Env], Any]:
    """Hide the arguments that the library gives to every service."""

    def make(env: Env) -> Any:
        return kind(env)

    return make


CASES = [
    Case(
        "mode-streaming",
        "Service, closes in on_stop",
        made(Closing),
        load,
        {"stop": "C", "cancel": "C", "stop2": "C", "kill": "W"},
    ),
    Case("mode-streaming", "Service, closes in on_shutdown", made(Later), load, {"kill": "W"}),
]
