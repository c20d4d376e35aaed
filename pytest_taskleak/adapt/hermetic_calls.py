"""How does a call of a pool run on a simulated loop, in place of its thread, and what do its sleeps cost?

The call is run in one go.  What it sleeps does not hold up the loop, as it would not in a thread: its clock
goes ahead of the loop's, and its result comes when the loop's has caught up.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any


class Calls:
    """The part of a simulated loop that runs calls of pools, and hears of sleeps that block."""

    now: float
    calls: dict[asyncio.Future[Any], Any]
    call_later: Callable[..., Any]
    slept: float | None = None
    """Virtual seconds that the call of a pool which is running has slept; `None` where none is running."""

    def sleeps(self, seconds: float) -> None:
        """Let code sleep that does not wait: a call of a pool for itself, any other code for all of the loop.

        Parameters:
            seconds: virtual ones.
        """
        if self.slept is None:
            self.now += seconds
        else:
            self.slept += seconds

    def work(self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Run a call, and hand over what it comes to.

        Parameters:
            future: gets it.
            func, args: the call.
        """
        self.slept, error, result = 0.0, None, None
        try:
            result = func(*args)
        except BaseException as raised:  # noqa: BLE001 -- it is the future's
            error = raised
        slept, self.slept = self.slept, None
        settle = functools.partial(self._settle, future, result, error)
        if slept:
            self.call_later(slept, settle)
        else:
            settle()

    def _settle(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self.calls.pop(future, None)
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
