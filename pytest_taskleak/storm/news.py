"""How does one side of something in memory wait until the other has done something?

`asyncio.Event` would do, but where a task waits is told by the innermost code that is not asyncio's, and that
must be the same line on every version of Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class News:
    """Something may have changed: whoever waits looks anew."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def tell(self, *_: Any) -> None:
        """Wake all who wait; may be a callback of a task."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, ready: Callable[[], object], seconds: float | None = None) -> None:
        """Wait until something is so.

        Parameters:
            ready: tells whether it is; asked now and after each piece of news.
            seconds: virtual; after these the wait is over in any case; `None` waits for ever.
        """
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        timer = None if end is None else loop.call_at(end, self.tell)
        try:
            while not ready() and (end is None or loop.time() < end):
                future = loop.create_future()
                self._waiting.append(future)
                await future
        finally:
            if timer is not None:
                timer.cancel()
