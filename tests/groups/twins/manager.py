"""A manager of tasks that are known by name; it carries the mistakes of rows 62, 63 and 64.

- Row 62: the registry is keyed by name. A second task of a name hides the first, which no shutdown reaches.
- Row 63: the shutdown is bounded by `wait_for(gather(...))`. That cancels and then waits without a bound, for
  ever if a child ignores it.
- Row 64: the results of all tasks are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


class TaskManager:
    """Starts tasks by name and keeps what they return."""

    def __init__(self) -> None:
        self.results: list[tuple[str, Any]] = []
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def create(self, coro: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start a task under a name."""
        task = asyncio.create_task(self._run(name, coro), name=name)
        self._tasks[name] = task
        return task

    async def _run(self, name: str, coro: Coroutine[Any, Any, Any]) -> Any:
        result = await coro
        self.results.append((name, result))
        return result

    async def shutdown(self, timeout: float = 5.0) -> None:
        """Cancel all tasks and give them so many seconds."""
        for task in self._tasks.values():
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*self._tasks.values(), return_exceptions=True), timeout)
