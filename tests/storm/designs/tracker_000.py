"""A tracker of tasks with a shutdown in two phases.

- The limit is looked at when the task exists already: what is refused runs all the same.
- The second phase cancels again, whatever a cleanup is at.
- The shutdown cancels everything that is registered, the task that asked for it included.
- The shutdown works on a snapshot: a task that is born meanwhile survives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from pytest_taskleak import TrackedTaskGroup
from pytest_taskleak.storm.env import Env

Task = asyncio.Task[Any]


class Keeper(Protocol):
    """What all trackers have in common."""

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> Task: ...

    async def cancel_all(self) -> object: ...


Keeps = Callable[[int], Keeper]


class Tracker:
    """The tracker as it was published.

    Parameters:
        limit: most tasks at a time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tasks: set[Task] = set()

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> Task:
        """Start a task and register it."""
        task = asyncio.create_task(coro, name=name)
        if len(self.tasks) >= self.limit:
            raise RuntimeError(f"more than {self.limit} tasks are tracked")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def cancel_all(self, timeout: float = 5.0) -> None:
        """Cancel everything; what is left after `timeout` seconds is cancelled again."""
        pending = set(self.tasks)
        for _ in range(2):
            for task in pending:
                task.cancel()
            if pending:
                _, pending = await asyncio.wait(pending, timeout=timeout)


class MendedTracker:
    """A tracker that refuses before it makes anything, and drains once, to the end, whoever asks."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tasks: set[Task] = set()

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> Task:
        """Start a task and register it."""
        if len(self.tasks) >= self.limit:
            coro.close()
            raise RuntimeError(f"more than {self.limit} tasks are tracked")
        task = asyncio.create_task(coro, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def cancel_all(self, deadline: float = 9.0) -> None:
        """Cancel each task once, and wait for all of them, those that come meanwhile included."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while (left := self.tasks - {asyncio.current_task()}) and loop.time() < end:
            for task in left:
                if not task.cancelling():
                    task.cancel()
            await asyncio.wait(left, timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED)


class Grouped:
    """The group of this library behind the words of the tracker."""

    def __init__(self, limit: int) -> None:
        self.group = TrackedTaskGroup(limit=limit).open()

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> Task:
        """Start a task and register it."""
        return self.group.create_task(coro, name=name)

    async def cancel_all(self) -> object:
        """End everything."""
        return await self.group.drain(deadline=9.0, grace=8.0)


class Jobs:
    """Three jobs at a time; a fourth is refused.

    Parameters:
        env: the world.
        keeps: makes the tracker.
    """

    def __init__(self, env: Env, keeps: Keeps) -> None:
        self.env = env
        self.keeps = keeps

    async def start(self) -> None:
        """Open it."""
        self.keeper = self.keeps(3)

    def submit(self, number: int) -> bool:
        """Begin a job; tell whether there was room."""
        try:
            self.keeper.create(self.job(), name=f"job-{number}")
        except RuntimeError:
            return False
        return True

    async def job(self) -> None:
        """Work for ever."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """End all jobs."""
        await self.keeper.cancel_all()


class Saver:
    """Keeps what it is given, and saves it when it is told to end; that takes 7 seconds."""

    def __init__(self, env: Env, keeps: Keeps) -> None:
        self.env = env
        self.keeper: Keeper = keeps(10)
        self.buffer: list[int] = []
        self.open = False

    async def start(self) -> None:
        """Begin to keep."""
        self.keeper.create(self.keep(), name="saver")

    def submit(self, item: int) -> None:
        """Take an item on, or refuse it."""
        if self.open:
            self.buffer.append(self.env.accept(item))

    async def keep(self) -> None:
        """Wait for the end, and save."""
        self.open = True
        try:
            await asyncio.Event().wait()
        finally:
            self.open = False
            await asyncio.sleep(7)
            for item in self.buffer:
                self.env.finish(item)

    async def stop(self) -> None:
        """End it."""
        await self.keeper.cancel_all()


class SelfDraining:
    """Ends itself from a task of its own, and closes its connection then."""

    def __init__(self, env: Env, keeps: Keeps) -> None:
        self.keeper: Keeper = keeps(10)
        self.connection = env.resource("connection")
        self.asked = asyncio.Event()
        self.begun = False

    async def start(self) -> None:
        """Open the connection and begin."""
        self.connection.open()
        self.keeper.create(asyncio.Event().wait(), name="worker")
        self.supervisor = self.keeper.create(self.supervise(), name="supervisor")

    async def supervise(self) -> None:
        """Wait until somebody asks for the end; then bring it about."""
        self.begun = True
        try:
            await self.asked.wait()
        finally:
            await self.finish()

    async def finish(self) -> None:
        """Bring the end about."""
        await self.keeper.cancel_all()
        self.connection.close()

    async def stop(self) -> None:
        """Ask for the end, and wait for it."""
        self.asked.set()
        await asyncio.wait({self.supervisor})
        if not self.begun:  # it was cancelled before its first step: no line of it has run
            self.begun = True
            await self.finish()


class Spawning:
    """A worker that hands its last word to a new task when it is cancelled."""

    def __init__(self, env: Env, keeps: Keeps) -> None:
        self.keeper: Keeper = keeps(10)

    async def start(self) -> None:
        """Begin."""
        self.keeper.create(self.work(), name="worker")

    async def work(self) -> None:
        """Work until the end."""
        try:
            await asyncio.Event().wait()
        finally:
            self.keeper.create(asyncio.sleep(3600), name="last-word")

    async def stop(self) -> None:
        """End it."""
        await self.keeper.cancel_all()
