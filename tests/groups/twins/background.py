"""Background tasks whose failures are counted; the delayed form carries the mistake of row 28.

- Row 28: the coroutine is made when the call is scheduled. If its timer is cancelled first, nobody ever awaits
  it, and nothing tells what became of the item that it was to send.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger("twins.background")
FAILURES: Counter[str] = Counter()
"""Name of a task -> how often it failed."""


async def _watched(
    coro: Coroutine[Any, Any, Any], name: str, on_error: Callable[[BaseException], object] | None
) -> Any:
    try:
        return await coro
    except asyncio.CancelledError:
        raise
    except Exception as error:
        FAILURES[name] += 1
        logger.exception("background task %s failed", name)
        if on_error is not None:
            try:
                on_error(error)
            except Exception:
                logger.exception("the error callback of %s failed", name)
        return None


def create_safe_task(
    coro: Coroutine[Any, Any, Any],
    name: str | None = None,
    on_error: Callable[[BaseException], object] | None = None,
) -> asyncio.Task[Any]:
    """Start a task that counts and logs its failure."""
    called = name or str(getattr(coro, "__qualname__", "unknown"))
    return asyncio.create_task(_watched(coro, called, on_error), name=called)


def schedule_with_delay(
    coro: Coroutine[Any, Any, Any], delay: float, name: str | None = None
) -> asyncio.Task[Any]:
    """Run a coroutine after so many seconds, in the background."""

    async def later() -> None:
        await asyncio.sleep(delay)
        await coro

    return create_safe_task(later(), name)
