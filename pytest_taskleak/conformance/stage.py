"""On which loop is a contract tried, so that a trial can neither hang nor leave anything behind?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Self

from pytest_taskleak.adapt import asyncio_, awaiting
from pytest_taskleak.conformance.blocking import Alarm, Blocked, NoAlarm, alarm
from pytest_taskleak.conformance.contracts import told
from pytest_taskleak.engine.reap import cancel_all
from pytest_taskleak.explain.birth import shorten

MakeLoop = Callable[[], asyncio.AbstractEventLoop]
TURNS = 24
"""Turns in which what is on its way out comes to its end; see `engine.settle`."""
CALLS = 8
"""How many calls, each within its deadline, a trial may take."""
LAST = 0.5
"""Seconds that a task gets to end after it was late and has been cancelled."""


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended.

    Parameters:
        how: in one word; `late` is one that did not end in time.
        value: what was returned.
        error: what was raised.
        where: where it was when time was up.
    """

    how: Literal["returned", "raised", "cancelled", "late"]
    value: Any = None
    error: BaseException | None = None
    where: str = ""

    def text(self, seconds: float) -> str:
        """Say how it ended.

        Parameters:
            seconds: the time that it had.
        """
        if self.how == "late":
            return f"did not return within {seconds:g} s{self.where}"
        if self.how == "raised" and self.error is not None:
            return f"raised {told(self.error)}"
        return "was cancelled" if self.how == "cancelled" else "returned"


class Stage:
    """A loop for one trial, with what its exception handler is told.

    Parameters:
        make_loop: makes the loop.
        deadline: seconds that a call may take.
    """

    def __init__(self, make_loop: MakeLoop, deadline: float) -> None:
        self.loop = make_loop()
        self.deadline = deadline
        self.reports: list[str] = []
        self.cancels = 0
        self.where = ""
        self.alarm: Alarm | NoAlarm = NoAlarm()
        self.lost: asyncio.Future[None] = self.loop.create_future()
        self.loop.set_exception_handler(self._note)
        self.loop.slow_callback_duration = 3600.0  # the kit collects garbage while the loop runs

    def _note(self, _: Any, context: dict[str, Any]) -> None:
        """Keep what the loop was told, as a string: an exception would hold what was running."""
        error = context.get("exception")
        shown = f": {type(error).__name__}: {error}" if error is not None else ""
        self.reports.append(f"{context.get('message', '')}{shown}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def play(self, scene: Coroutine[Any, Any, Any], calls: int = CALLS) -> Any:
        """Run what is tried.

        Parameters:
            scene: bounds its own calls, so that it has time for some of them.
            calls: how many calls it makes at most.

        Raises:
            TimeoutError: it did not end.
        """
        self.lost = self.loop.create_future()
        task = self.loop.create_task(scene)
        seconds = calls * self.deadline
        waiting = asyncio.wait({task, self.lost}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        with alarm(Stage.play.__code__) as self.alarm:
            self.loop.run_until_complete(waiting)
        if task.done():
            return None if task.cancelled() else task.result()
        if not self.lost.done():
            raise TimeoutError(f"it did not end within {seconds:g} s{waits_at(task)}")
        return None

    async def bounded(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> End:
        """Await a call in the task that runs, but not for longer than it may take; return how it ended.

        A call that is late is cancelled; if it ignores that, the scene is given up.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine runs in one
        asked, late = task.cancelling(), False
        self.cancels, self.where = 0, ""

        def hurry() -> None:
            nonlocal late
            off()
            self.where, late = waits_at(task), True
            task.cancel()
            timers.append(self.loop.call_later(LAST, self.give_up))

        timers = [self.loop.call_later(self.deadline, hurry)]
        try:
            with self.alarm.within(self.deadline + LAST) as off:
                end = End("returned", await call())
        except Blocked as blocked:
            end = End("late", where=f"; it blocks the loop at {blocked}")
        except asyncio.CancelledError:
            if task.cancelling() > asked + late + self.cancels:
                raise  # somebody else has cancelled what runs here
            end = End("cancelled")
        except Exception as error:  # noqa: BLE001 -- told by who asked
            end = End("raised", error=error)
        finally:
            for timer in timers:
                timer.cancel()
        for _ in range(self.cancels + late):
            task.uncancel()
        return End("late", where=self.where) if late else end

    def cancel(self, task: asyncio.Task[Any]) -> None:
        """Cancel the task whose call is awaited; it goes on after that call."""
        self.cancels += 1
        task.cancel()

    def give_up(self) -> None:
        """Leave a scene that ignores cancelling to its fate."""
        if not self.lost.done():
            self.lost.set_result(None)

    def close(self) -> None:
        """End what still runs, within bounds, and close the loop."""
        cancel_all(self.loop, asyncio_.tasks_of(self.loop))
        asyncio_.turn(self.loop, 2)
        for last in (self.loop.shutdown_asyncgens, self.loop.shutdown_default_executor):
            ending = self.loop.create_task(last())
            self.loop.run_until_complete(asyncio.wait({ending}, timeout=LAST))
            ending.cancel()
            asyncio_.turn(self.loop)
        self.loop.close()


async def end_of(call: Any, seconds: float) -> End:
    """Await something, but not for longer than it may take; return how it ended.

    Parameters:
        call: a coroutine, a task, or anything else that can be awaited.
        seconds: how long it may take.
    """
    task = call
    if not asyncio.isfuture(call):
        task = asyncio.get_running_loop().create_task(awaited(call))
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        return ended(task)
    where = waits_at(task)
    task.cancel()
    await asyncio.wait({task}, timeout=LAST)
    if task.done() and not task.cancelled():
        task.exception()
    return End("late", where=where)


async def awaited(call: Any) -> Any:
    """Await what may be no coroutine."""
    return await call


def ended(task: asyncio.Future[Any]) -> End:
    """Return how a task ended that has ended."""
    if task.cancelled():
        return End("cancelled")
    error = task.exception()
    return End("returned", task.result()) if error is None else End("raised", error=error)


def waits_at(task: Any) -> str:
    """Say where a task waits."""
    try:
        frames, leaf = awaiting.chain(task)
    except Exception:  # noqa: BLE001 -- told only to help
        return ""
    own = [frame for frame in frames if frame.role == "project"]
    place = f" at {shorten(own[-1].path, os.getcwd())}:{own[-1].line}" if own else ""
    return f"; it waits{place} for {leaf}" if leaf else (f"; it waits{place}" if place else "")


async def turns(times: int = TURNS) -> None:
    """Let the loop run what is ready."""
    for _ in range(times):
        await asyncio_.one_turn()
