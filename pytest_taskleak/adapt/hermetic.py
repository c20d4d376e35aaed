"""What is a loop that lives in virtual time alone, and tells of each callback before it runs it?

It hears of nothing outside: no sockets, no threads, no processes, and no signals but simulated ones.  What it
runs depends on what it is given and on its seed, and on nothing else; so any run can be had again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from pytest_taskleak.adapt.code import SKIP, kind_of
from pytest_taskleak.adapt.hermetic_calls import Calls
from pytest_taskleak.adapt.hermetic_refusing import REFUSED, HermeticError, NoSelector, refusing
from pytest_taskleak.adapt.hermetic_signals import SignalHandling, nothing
from pytest_taskleak.adapt.hermetic_timers import Places, Timer, timer_for
from pytest_taskleak.adapt.stepping import place
from pytest_taskleak.adapt.task_steps import CANCEL, Numbering, cancels, step_of

__all__ = ["START", "HermeticError", "HermeticLoop", "frame_of_caller"]
START = 1_000.0
"""The time in seconds that the loop begins with: a multiple that floats add to without rounding for long."""
RESOLUTION = 1e-9
CALLBACK = asyncio.Handle._run.__code__


class HermeticLoop(Calls, SignalHandling, asyncio.BaseEventLoop):  # type: ignore[misc]  # looser than the stubs
    """A loop in virtual time.

    Parameters:
        ties: returns what orders timers of one time, from their number.
        hashes: returns what a task hashes to, from its number: so sets of tasks have one order, or another.
        refuse: is told what was reached for; raises.
    """

    def __init__(
        self, ties: Callable[[int], int], hashes: Callable[[int], int], refuse: Callable[[str], NoReturn]
    ) -> None:
        super().__init__()
        self.set_debug(False)  # a stack for each callback: a sweep would take twenty times as long
        self.now = START
        self.point = 0
        """How many callbacks have run."""
        self.at = -1
        """Before which of them `inject` is called."""
        self.inject: Callable[[], None] = nothing
        self.each: Callable[[Any, Any, str], None] | None = None
        """Is told of each callback that has run: the handle, its task, and the sort of step."""
        self.why = ""
        """Why the last run ended: `done`, `idle`, `late`, `busy`."""
        self.until = float("inf")
        self.most = 1 << 62
        self.told: list[dict[str, Any]] = []
        """What the exception handler was told."""
        self.calls: dict[asyncio.Future[Any], Any] = {}
        """Calls of pools that are under way."""
        self.duration: Callable[[], float] = lambda: 0.001
        self.frozen: asyncio.Task[Any] | None = None
        """Is never run again; what would run it is put aside."""
        self.aside: list[Any] = []
        self.expired: list[tuple[float, Places]] = []
        """Waits that came to the end of their patience: when, and where they were armed."""
        self.tasks: list[asyncio.Task[Any]] = []
        self.births: list[Places] = []
        self._ties = ties
        self._timers = 0
        self._selector = NoSelector()
        self._refuse = refuse
        self.begin_signals()
        self.numbering = Numbering(self)
        count = self.numbering.next
        self.numbering.next = lambda: hashes(count())
        self.numbering.begin()
        self.set_exception_handler(lambda _, context: self.told.append(context))

    def close(self) -> None:
        """Close it."""
        if not self.is_closed():
            self.numbering.end()
            self.end_signals()
            super().close()

    # --- time ---------------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now

    def call_at(  # type: ignore[override]  # looser than the stubs
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """Arm a timer."""
        self._check_closed()  # type: ignore[attr-defined]
        timer = timer_for(callback)(when, callback, args, self, context)
        self._timers += 1
        timer.order = (when, self._ties(self._timers))
        timer.birth = place(frame_of_caller())
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def armed(self) -> list[Timer]:
        """Return the timers that are armed, the next one first."""
        return sorted(timer for timer in self._scheduled if not timer.cancelled())  # type: ignore[attr-defined]

    # --- running ------------------------------------------------------------------------------------

    def run(self, awaited: asyncio.Future[Any] | None, *, until: float, most: int) -> str:
        """Run until a future is done; return why it ended: `done`, `idle`, `late` or `busy`.

        Parameters:
            awaited: the future; `None` runs until there is nothing more to do.
            until: the virtual time at which this ends in any case.
            most: so many callbacks may run.
        """
        if awaited is not None and awaited.done():
            return "done"
        self.main = awaited
        self.until, self.most, self.why = until, self.point + most, ""
        if awaited is not None:
            awaited.add_done_callback(self._end)
        try:
            self.run_forever()
        finally:
            if awaited is not None:
                awaited.remove_done_callback(self._end)
        return self.why or "done"

    def turn(self, times: int) -> None:
        """Let what is ready run, so many turns, without letting time pass."""
        for _ in range(times):
            if not self._ready:  # type: ignore[attr-defined]
                return
            self.stop()  # before it runs: it makes one turn
            self.run_forever()

    def thaw(self) -> None:
        """Let the frozen task run again."""
        self.frozen = None
        self._ready.extend(self.aside)  # type: ignore[attr-defined]
        self.aside.clear()

    def idle(self) -> bool:
        """Tell whether nothing is ready."""
        return not self._ready  # type: ignore[attr-defined]

    def _end(self, _: Any) -> None:
        self.why = "done"
        self.stop()

    def _halt(self, why: str) -> None:
        self.why = why
        self.stop()

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        heap: Any = self._scheduled  # type: ignore[attr-defined]
        while heap and heap[0].cancelled():
            heapq.heappop(heap)._scheduled = False
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not heap:
                self._halt("idle")
                return
            if heap[0].when() > self.until:
                self.now = max(self.now, self.until)
                self._halt("late")
                return
            due = heap[0].when()
            self.now = due if due > self.now else self.now + RESOLUTION  # time goes on, as in life
        end = self.now + RESOLUTION
        while heap and heap[0].when() < end:
            timer = heapq.heappop(heap)
            timer._scheduled = False
            ready.append(timer)
        if self.point > self.most:
            self._halt("busy")
            return
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                self._do(handle)

    def _do(self, handle: Any) -> None:
        """Run one callback: a point."""
        if self.point == self.at:
            self.at = -1
            self.inject()
            if handle.cancelled():
                self.point += 1
                return
        self.point += 1
        if self.frozen is not None and step_of(handle._callback)[1] is self.frozen:
            self.aside.append(handle)
            return
        each = self.each
        if each is None:
            handle._run()
            return
        sort, task = step_of(handle._callback)
        if task is not None and cancels(task, handle._args):
            sort = CANCEL
        handle._run()
        each(handle, task, sort)

    def create_task(self, coro: Any, **options: Any) -> Any:
        """Make a task, and note the line."""
        task = super().create_task(coro, **options)
        self.tasks.append(task)
        self.births.append(place(frame_of_caller()))
        return task

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what a handler cannot be told: asyncio enters the context of a task, not of a running one."""
        self.told.append(context.get("context", context))

    # --- nothing outside ----------------------------------------------------------------------------

    def _process_events(self, events: Iterable[Any]) -> None:
        return

    def _write_to_self(self) -> None:
        return

    def call_soon_threadsafe(  # type: ignore[override]  # looser than the stubs
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """Do what `call_soon` does: there is no other thread."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]  # looser than the stubs
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Run a call of a pool in place of its thread, and hand over its result after a virtual while.

        As in life, the call itself goes on if nobody waits for it any more.
        """
        future = self.create_future()
        self.calls[future] = func
        self.call_later(self.duration(), self.work, future, func, args)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Do nothing: there is none."""


for _name in REFUSED:
    setattr(HermeticLoop, _name, refusing(_name))


def frame_of_caller() -> Any:
    """Return the frame of the nearest code that is nobody's machinery; below a callback there is none."""
    import sys

    frame: Any = sys._getframe(2)
    while frame is not None and kind_of(frame.f_code.co_filename) >= SKIP:
        frame = None if frame.f_code is CALLBACK else frame.f_back
    return frame
