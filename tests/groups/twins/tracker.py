"""A registry of tasks with a shutdown in two phases; it carries the mistakes of rows 2, 10, 11 and 12.

- Row 2: the limit is looked at when the task exists already, so that what is refused runs all the same.
- Row 10: the second phase cancels again, whatever a cleanup is at, and what it was about to save is lost.
- Row 11: the shutdown works on a snapshot, so that a task born meanwhile survives it.
- Row 12: the shutdown cancels all that is registered, the task that asked for it included.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any


class Tracker:
    """Knows every task that was made through it.

    Parameters:
        limit: most tasks at a time.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lock = threading.Lock()

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
        """Start a task and register it."""
        task = asyncio.create_task(coro, name=name)
        with self._lock:
            if len(self._tasks) >= self.limit:
                raise RuntimeError(f"more than {self.limit} tasks are tracked")
            self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        with self._lock:
            self._tasks.discard(task)

    async def cancel_all(self, timeout: float = 5.0) -> dict[str, int]:
        """Cancel everything; after `timeout` seconds cancel again what is left, and wait as long once more."""
        if timeout <= 0:
            raise ValueError("the timeout must be positive")
        with self._lock:
            tasks = set(self._tasks)
        stats: dict[str, int] = dict.fromkeys(
            ("total", "cancelled", "completed", "errors", "timed_out", "stuck"), 0
        )
        if not tasks:
            return stats
        for task in tasks:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=timeout)
        stats["timed_out"] = len(pending)
        if pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=timeout)
        for task in tasks - pending:
            fate = "cancelled" if task.cancelled() else "errors" if task.exception() else "completed"
            stats[fate] += 1
        return {**stats, "total": len(tasks), "stuck": len(pending)}

    async def wait_for_tasks(self, timeout: float | None = None, *, cancel_pending: bool = False) -> bool:
        """Wait until all have ended, and tell whether they have."""
        with self._lock:
            tasks = set(self._tasks)
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=timeout)
        for task in pending if cancel_pending else ():
            task.cancel()
        return not pending
