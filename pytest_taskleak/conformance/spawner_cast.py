"""Which coroutines does the kit hand to a helper, and where are their errors heard?"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterator
from typing import Any

POINTS = ("first", "second", "third", "cleanup")
"""The suspensions of the coroutine that is cancelled."""
NUMBERS = itertools.count(1)


class Planted(Exception):
    """The error that a coroutine of the kit ends with; known by its number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"planted error {number}")
        self.number = number


class Child:
    """A coroutine that is led from suspension to suspension, and writes down what it meets.

    Parameters:
        fails: it ends with an error, else with its number.
    """

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.number = next(NUMBERS)
        self.log: list[str] = []
        self.gate: asyncio.Future[None] | None = None
        self.over = False

    async def planted_work(self) -> int:
        """Wait at every point, in the last one to clean up."""
        try:
            await self.wait("first")
            try:
                await self.wait("second")
            except Exception:  # noqa: BLE001 -- as code of users does; a cancellation must pass it
                self.log.append("ate")
            await self.deeper()
        finally:
            await self.wait("cleanup")
            self.log.append("cleaned")
        return self.end()

    async def planted_step(self) -> int:
        """Wait once, and end."""
        self.log.append("begun")
        await asyncio.sleep(0)
        return self.end()

    async def planted_moment(self) -> int:
        """End at once."""
        return self.end()

    def end(self) -> int:
        """Return the number, or fail with it."""
        self.log.append("ended")
        if self.fails:
            raise Planted(self.number)
        return self.number

    async def deeper(self) -> None:
        """Wait as a coroutine that is awaited."""
        await self.wait("third")

    async def wait(self, point: str) -> None:
        """Wait at a point until it is opened."""
        self.log.append(point)
        if self.over:
            return
        self.gate = asyncio.get_running_loop().create_future()
        try:
            await self.gate
        except asyncio.CancelledError:
            self.log.append(f"cancelled {point}")
            raise

    def open(self) -> None:
        """Let it go on to its next point."""
        if self.gate is not None and not self.gate.done():
            self.gate.set_result(None)

    def release(self) -> None:
        """Let it go on to its end."""
        self.over = True
        self.open()


def planted_in(error: BaseException) -> Iterator[str]:
    """Yield the texts of the kit's errors that an error holds."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from planted_in(part)
    elif isinstance(error, Planted):
        yield str(error)


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Yield a list of what is logged as a warning or worse; the root's handlers hear none of it.

    Those would show the errors of the kit as the user's, and keep what was logged: tasks among it.
    """
    heard: list[str] = []
    before = logging.getLogRecordFactory()
    root = logging.getLogger()
    handlers: list[logging.Handler] = root.handlers
    root.handlers = [logging.NullHandler()]

    def note(*args: Any, **options: Any) -> logging.LogRecord:
        record = before(*args, **options)
        if record.levelno >= logging.WARNING:
            with contextlib.suppress(Exception):  # a message that does not fit its arguments is the user's
                heard.append(record.getMessage())
            heard.extend(chain(record.exc_info[1] if isinstance(record.exc_info, tuple) else None))
        return record

    logging.setLogRecordFactory(note)
    try:
        yield heard
    finally:
        logging.setLogRecordFactory(before)
        root.handlers = handlers


def chain(error: BaseException | None) -> Iterator[str]:
    """Yield the texts of an error and of those that led to it."""
    while error is not None:
        yield str(error)
        yield from planted_in(error)
        error = error.__cause__ or error.__context__
