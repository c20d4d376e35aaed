"""What is seen of tasks while they are cancelled, in two phases?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_taskleak.adapt import awaiting, links
from pytest_taskleak.adapt.cancelling import error_of
from pytest_taskleak.adapt.spinning import Guard, was_stopped
from pytest_taskleak.adapt.swallowing import Probe, watching
from pytest_taskleak.engine.outcome import Fate, Outcome, Resistance
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.model import Frame


class Reaping:
    """Tasks that are cancelled in two phases, and what is seen of that.

    Parameters:
        tasks: pending tasks.
    """

    def __init__(self, tasks: Sequence[Any]) -> None:
        self.tasks = list({id(task): task for task in tasks}.values())
        self.before = {id(task): task.cancelling() for task in self.tasks}
        self.stood = {id(task): standing(task) for task in self.tasks}
        self.late: list[Any] = []
        self.spun: dict[int, Any] = {}
        self.swallows: dict[int, Any] = {}
        self.still: dict[int, Frame | None] = {}
        self.asked_again = False

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """End the steps that do not end, while the loops are turned."""
        guard = Guard(self.tasks)
        try:
            with guard:
                yield
        finally:
            self.spun.update(guard.spun)

    @contextlib.contextmanager
    def again(self) -> Iterator[list[Any]]:
        """Look at what those that are left do when they are asked once more."""
        self.late = [task for task in self.tasks if not task.done()]
        self.asked_again = bool(self.late)
        self.still |= {id(task): waiting_at(task) for task in self.late if not self.went_back(task)}
        probe = Probe(self.late)
        with self.guarded(), watching(probe):
            yield self.late
        with contextlib.suppress(Exception):  # what cannot be told is left out
            self.swallows = {id(task): probe.told(task) for task in self.late if not task.done()}

    def went_back(self, task: Any) -> bool:
        """Tell whether a task waits again where it stood when it was cancelled: it does not clean up."""
        stood = self.stood.get(id(task))
        return bool(stood) and standing(task) == stood

    def fate(self, task: Any) -> Fate:
        """Return what became of a task."""
        if was_stopped(task) or id(task) in self.spun or not task.done():
            return "stuck"
        if task.cancelled():
            return "cancelled"
        return "completed" if error_of(task) is None else "errors"

    def outcome(self, left: Sequence[Leftover], bound: float) -> Outcome:
        """Return what became of leftovers, which got a bound in seconds each time they were asked."""
        remaining = [item for item in left if item.detector.alive(item.thing)]
        outcome = Outcome(remaining, {id(task): self.fate(task) for task in self.tasks})
        outcome.late = {id(task) for task in self.late}
        turned = [
            x for x in remaining if (loop := x.detector.loop(x.thing)) is not None and not loop.is_closed()
        ]
        outcome.resisting = {id(item.thing) for item in turned} | {*self.spun}
        outcome.evidence = {id(task): self.resistance(task, bound, 2 * bound) for task in self.resisting()}
        return outcome

    def resisting(self) -> list[Any]:
        """Return the tasks that were late, or had to be stopped."""
        keys = {id(task) for task in self.late} | {*self.spun}
        return [task for task in self.tasks if id(task) in keys]

    def resistance(self, task: Any, first: float, seconds: float) -> Resistance:
        """Return how a task resisted the first bound, and all of the time in seconds that it got."""
        return Resistance(
            before=self.before[id(task)],
            asked=2 if self.asked_again else 1,
            seconds=seconds,
            first=first,
            ended=task.done(),
            still=self.still.get(id(task)),
            swallows=self.swallows.get(id(task), ()),
            spins=self.spun.get(id(task)),
        )


def standing(task: Any) -> tuple[Any, ...]:
    """Return at which instructions the frames of a task are suspended."""
    try:
        return tuple((frame.f_code, frame.f_lasti) for frame in links.frames_of(task))
    except Exception:  # noqa: BLE001 -- objects of the user can be odd
        return ()


def waiting_at(task: Any) -> Frame | None:
    """Return the innermost line of the project at which a task waits."""
    try:
        frames = [awaiting.frame_at(frame.f_code, frame.f_lineno) for frame in links.frames_of(task)]
    except Exception:  # noqa: BLE001 -- see `standing`
        return None
    return next((frame for frame in reversed(frames) if frame.role == "project"), None)
