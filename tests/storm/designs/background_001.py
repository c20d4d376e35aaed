"""Background work that is begun after a delay.

The coroutine is made when the call is scheduled.  If the end comes first, nobody ever awaits it, and nobody
hears what became of its item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pytest_taskleak.storm.env import Env

FOLLOW_UP = 300.0
"""Seconds after which a follow-up is sent."""


class FollowUps:
    """Sends a follow-up for each item; as it was published."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.tasks: set[asyncio.Task[Any]] = set()
        self.closed = False

    async def start(self) -> None:
        """Be ready."""

    def submit(self, item: int) -> None:
        """Take an item on, or refuse it."""
        if not self.closed:
            self.schedule(self.env.accept(item))

    def schedule(self, item: int) -> None:
        """Send the follow-up of an item later."""
        self.keep(asyncio.create_task(self.later(self.send(item))))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Know a task as long as it lives."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def later(self, coro: Coroutine[Any, Any, Any]) -> None:
        """Await what was made long ago."""
        await asyncio.sleep(FOLLOW_UP)
        await coro

    async def send(self, item: int) -> None:
        """Send it."""
        self.env.finish(item)

    async def stop(self) -> None:
        """End what waits."""
        self.closed = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class AccountedFollowUps(FollowUps):
    """Makes the coroutine when its time has come, and says what was given up.

    The task's callback says so, and not its code: of a task that is cancelled before its first step no line
    runs.
    """

    def schedule(self, item: int) -> None:
        """Send the follow-up of an item later."""
        task = asyncio.create_task(self.wait_and_send(item))
        self.keep(task)
        task.add_done_callback(lambda task: task.cancelled() and self.env.drop(item, "the service has ended"))

    async def wait_and_send(self, item: int) -> None:
        """Wait, and send it."""
        await asyncio.sleep(FOLLOW_UP)
        await self.send(item)
