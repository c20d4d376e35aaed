"""What if a service is told to stop by one of its own tasks?

That is so at a call of a dependency, which the axis `inside` chooses, or where a job awaits `env.stop()`.  A
stop that waits for all tasks of the service then waits for who has called it, and never returns.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pytest_taskleak.adapt import awaiting, waits
from pytest_taskleak.storm import oracles
from pytest_taskleak.storm.adapters import Started
from pytest_taskleak.storm.places import name_of
from pytest_taskleak.storm.verdicts import Violation
from pytest_taskleak.storm.wording import plain

if TYPE_CHECKING:
    from pytest_taskleak.storm.run import Run

ITSELF = "Task cannot await on itself"
"""How asyncio begins to say that a task waits for itself: no refusal."""


class Inside:
    """The stops of one run that come from inside.

    Parameters:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.calls: list[tuple[str, int]] = []
        """The calls in which a task of the service could have stopped it."""
        self.stops = True
        """Whether there is a stop that a task of the service could call."""
        self.awaited = 0
        """How often `env.stop()` was awaited."""
        self.asking: list[asyncio.Task[Any]] = []
        """Who has called a stop that has not returned."""
        self.returned = 0.0
        """When the last one has returned."""
        self.open: list[asyncio.Future[None]] = []
        """One for each caller: done when the stop has returned and the caller has had its time to end."""

    # --- who calls it -------------------------------------------------------------------------------

    async def called(self, name: str, number: int) -> None:
        """Note a call of a dependency, and stop the service in it if the plan wants that."""
        run, task = self.run, asyncio.current_task()
        if run.triggered >= 0 or run.subject is None or task is None or self.is_others(task):
            return
        self.stops = isinstance(run.subject, Started)
        if not self.stops:
            return
        self.calls.append((name, number))
        plan = run.plan
        if plan.axis == "inside" and (plan.dependency, plan.call) == (name, number):
            run.outcome.hit = True
            run.env.struck.append(f"stop(), called by {plain(name_of(task))} in its call {number} of {name}")
            await self._stop(task, others=False, job=False)

    async def stop(self) -> None:
        """Stop the service, in the task that runs.

        Raises:
            RuntimeError: there is no service yet.
            BaseException: what the service's own stop raises.
        """
        task = asyncio.current_task()
        if self.run.subject is None or task is None:
            raise RuntimeError("env.stop(): there is no service yet that could be stopped")
        self.awaited += 1
        await self._stop(task, others=self.is_others(task), job=True)

    async def _stop(self, task: asyncio.Task[Any], *, others: bool, job: bool) -> None:
        run, subject = self.run, self.run.subject
        first, until = run.triggered < 0, run.loop.until
        run.outcome.points = run.outcome.points or run.loop.point - 1  # as at a natural end
        run.begin_end()
        run.stopping = True
        over = run.loop.create_future()
        self.open.append(over)
        over.add_done_callback(self._ended)
        self.asking.append(task)
        try:
            if subject is not None:
                await subject.stop()
        except Exception as error:
            if refuses(error):
                others = True  # who is refused need not end
                if first:  # the service lives on, up to its natural end
                    run.stopping, run.triggered, run.loop.until = False, -1.0, until
                    run.outcome.points = 0
                if job:  # the job is told; a call of a dependency knows nothing of it
                    raise
                return
            text = f"stop() raised {error!r}, called from inside"
            run.outcome.violations.append(Violation("E", text, oracles.origin(error)))
            raise
        finally:
            self.asking.remove(task)
            self.returned = run.loop.time()
            if not run.loop.is_closed():
                self._returned(task, over, others=others)

    def _returned(self, task: asyncio.Task[Any], over: asyncio.Future[None], *, others: bool) -> None:
        """Let a caller that is the service's go on and end, for as long as a stop may take."""
        run = self.run

        def ended(*_: Any) -> None:
            if not over.done():
                over.set_result(None)

        if others:
            ended()
            return
        task.add_done_callback(ended)
        run.loop.until = max(run.loop.until, run.loop.time() + 2 * run.limits.deadline)
        run.loop.call_later(run.limits.deadline, ended)

    def _ended(self, _: asyncio.Future[None]) -> None:
        if self.run.stopping and all(future.done() for future in self.open):
            self.run.natural_end()

    def is_others(self, task: asyncio.Task[Any]) -> bool:
        """Tell whether a task is the program's or a client's."""
        run = self.run
        return task in run.harness or oracles.is_clients(run, run.loop.tasks.index(task), task)

    def drained(self) -> float:
        """Return when the stop has returned, which its caller may outlive; for the end of the run."""
        run = self.run
        only = run.stopping and not (run.stops or self.asking) and self.returned > 0
        return self.returned if only else run.loop.time()

    # --- who waits for whom -------------------------------------------------------------------------

    def told(self, task: asyncio.Task[Any]) -> str:
        """Say what the caller of a stop waits for, up to itself if that is so; of another task, nothing."""
        if task not in self.asking:
            return ""
        way = way_back(task)
        names = [repr(plain(name_of(one))) for one in way]
        if way and way[-1] is task:
            names[-1] += ", which has called it"
        else:
            names.append(plain(awaiting.told(waits.wait_of(way[-1] if way else task))))
        return f"; it has called stop() from inside, and waits for {', which waits for '.join(names)}"


def way_back(task: asyncio.Task[Any]) -> list[asyncio.Task[Any]]:
    """Return the tasks that a task waits for, one for the other: back to itself if so, else the last way."""
    ahead: list[tuple[asyncio.Task[Any], ...]] = [(task,)]
    seen: set[int] = set()
    for way in ahead:
        for other in waits.wait_of(way[-1]).on:
            if other is task:
                return [*way[1:], other]
            if isinstance(other, asyncio.Task) and not other.done() and id(other) not in seen:
                seen.add(id(other))
                ahead.append((*way, other))
    return list(ahead[-1][1:])


def refuses(error: Exception) -> bool:
    """Tell whether a stop has said that it is not to be called from inside."""
    return isinstance(error, RuntimeError) and not str(error).startswith(ITSELF)
