"""A dispatcher of logs whose stop is bounded, and which tries again later.

- Its stop waits in a task of its own for 10 seconds and then returns as if all had ended; the waiter stays.
- Its retries are timers, and nobody cancels them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pytest_taskleak.storm.env import Env


class HidingStop:
    """A worker that does not hear of the end; as it was published."""

    def __init__(self, env: Env) -> None:
        self.workers: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Begin."""
        self.workers = [asyncio.create_task(self.work(), name="worker")]

    async def work(self) -> None:
        """Wait for a peer that never answers."""
        await asyncio.Event().wait()

    async def wait_all(self) -> None:
        """Wait for the workers."""
        await asyncio.gather(*self.workers, return_exceptions=True)

    async def stop(self) -> None:
        """Wait for at most 10 seconds."""
        waiter = asyncio.create_task(self.wait_all(), name="waiter")
        await asyncio.wait({waiter}, timeout=10)


class CancellingStop(HidingStop):
    """Cancels what has not ended in time."""

    async def stop(self) -> None:
        """Wait for at most 10 seconds, then cancel."""
        left = set(self.workers)
        if left:
            _, left = await asyncio.wait(left, timeout=10)
        for worker in left:
            worker.cancel()
        if left:
            await asyncio.wait(left)


class Retrying:
    """Sends again ten seconds later what it could not send; as it was published."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.connection = env.resource("connection")
        self.timers: dict[int, asyncio.TimerHandle] = {}

    async def start(self) -> None:
        """Open the connection."""
        self.connection.open()

    def submit(self, item: int) -> None:
        """Try to send; the first time that fails."""
        if self.connection.is_open:
            self.env.loop.call_later(10, self.send, self.env.accept(item))

    def send(self, item: int) -> None:
        """Send it."""
        self.connection.use()
        self.timers.pop(item, None)
        self.env.finish(item)

    async def stop(self) -> None:
        """Close the connection."""
        if self.connection.is_open:
            self.connection.close()


class CancellingRetries(Retrying):
    """Cancels its timers, and says what was given up."""

    def submit(self, item: int) -> None:
        """Try to send; the first time that fails."""
        if self.connection.is_open:
            self.timers[item] = self.env.loop.call_later(10, self.send, self.env.accept(item))

    async def stop(self) -> None:
        """Cancel the timers, then close the connection."""
        for item, timer in self.timers.items():
            timer.cancel()
            self.env.drop(item, "the service has ended")
        self.timers.clear()
        await super().stop()
