"""At which times does a program do what, by the plainest loop that there can be?

A heap of timers, a queue of callbacks, and time as an exact fraction that jumps to the next timer when the
queue is empty.  No selector, no threads, nothing of the clock that is tested.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any, TypeVar

Result = TypeVar("Result")


class DiscreteLoop:
    """A loop in discrete time."""

    def __init__(self) -> None:
        self.now = Fraction(0)
        self.ready: deque[asyncio.Handle] = deque()
        self.timers: list[tuple[Any, int, asyncio.TimerHandle]] = []
        self.count = 0
        self.failures: list[dict[str, Any]] = []

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine to its end.

        Raises:
            RuntimeError: it never ends.
        """
        own: Any = self
        events._set_running_loop(own)
        try:
            task = self.create_task(main)
            while not task.done():
                self._turn()
            result: Result = task.result()
            return result
        finally:
            events._set_running_loop(None)

    def _turn(self) -> None:
        while self.timers and self.timers[0][2].cancelled():
            heapq.heappop(self.timers)
        if not self.ready:
            if not self.timers:
                raise RuntimeError("nothing can ever happen again")
            self.now = max(self.now, self.timers[0][0])
        while self.timers and self.timers[0][0] <= self.now:
            self.ready.append(heapq.heappop(self.timers)[2])
        for _ in range(len(self.ready)):
            handle = self.ready.popleft()
            if not handle.cancelled():
                handle._run()

    # --- what asyncio asks of a loop --------------------------------------------------------------

    def time(self) -> Any:
        return self.now

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        own: Any = self
        handle = asyncio.Handle(callback, args, own, context)
        self.ready.append(handle)
        return handle

    def call_later(
        self, delay: Any, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: Any, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        own: Any = self
        handle = asyncio.TimerHandle(when, callback, args, own, context)
        heapq.heappush(self.timers, (when, self.count, handle))
        self.count += 1
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: it is dropped when its turn comes."""

    def create_future(self) -> asyncio.Future[Any]:
        own: Any = self
        return asyncio.Future(loop=own)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        own: Any = self
        return asyncio.Task(coro, loop=own, **options)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context)
