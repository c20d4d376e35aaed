"""Stories about tasks, told in virtual time; what a story leaves behind is ended before its loop closes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from pytest_taskleak import FakeClock

Result = TypeVar("Result")
Task = asyncio.Task[Any]


def virtual(story: Callable[[FakeClock], Awaitable[Result]]) -> Result:
    """Run a story in virtual time and return its result."""

    async def main() -> Result:
        async with FakeClock() as clock:
            try:
                return await story(clock)
            finally:
                await dispose()

    return asyncio.run(main())


def told(story: Callable[[], Awaitable[Result]]) -> Result:
    """Run a story that needs no time and return its result."""

    async def main() -> Result:
        try:
            return await story()
        finally:
            await dispose()

    return asyncio.run(main())


def others() -> set[Task]:
    """Return all tasks but the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}


def names() -> list[str]:
    """Return the names of all tasks but the one that asks, in their order."""
    return sorted(task.get_name() for task in others())


async def dispose() -> None:
    """End all other tasks; those that ignore it are waited for."""
    while left := others():
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=100)


async def turns(number: int = 10) -> None:
    """Let others run."""
    for _ in range(number):
        await asyncio.sleep(0)


async def forever() -> None:
    """Wait until cancelled, on the loop's clock, so that no story is a deadlock."""
    while True:
        await asyncio.sleep(1000)


async def stubborn(seconds: float) -> None:
    """Ignore every request to end, for so long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(left)


async def cleaning(seconds: float, then: Callable[[], object] = lambda: None) -> None:
    """Wait until cancelled, then clean up for so long, and do something last."""
    try:
        await forever()
    finally:
        await asyncio.sleep(seconds)
        then()


async def failing(error: Exception) -> None:
    """Raise at once."""
    raise error
