"""What happened to each task in one run: born, cancelled, ended, or left?

A recorder is an observer that keeps more, for the one run that is told in full; a sweep has none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pytest_taskleak.adapt.cancelling import error_of
from pytest_taskleak.adapt.hermetic import START
from pytest_taskleak.adapt.task_steps import CANCEL
from pytest_taskleak.storm.observing import Observer
from pytest_taskleak.storm.places import line_at, name_of, place_of
from pytest_taskleak.storm.results import Drain, Event, Lane, Story
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.verdicts import Violation
from pytest_taskleak.storm.wording import plain

STORM = -1
"""The lane of what happens to no task in particular."""
TASK = re.compile(r"'([^']*)' at ")
"""How a violation names the task that matters."""
OURS = re.compile(r"root|load|stop-\d+")
"""The names of the tasks that a run makes itself: no line of the user has made them."""
SECOND = "the root is cancelled once more"
TRIGGERS = {
    "stop": "stop()",
    "stop2": "stop(), twice at once",
    "cancel": "the root is cancelled",
    "kill": "{victim} is cancelled",
    "pair": "the root is cancelled",
    "raise": "what {victim} waits for fails",
    "freeze": "{victim} is never run again",
    "leap": "time leaps",
    "signal": "SIGTERM",
}
"""Axis -> what is done at its moment."""


STOPPING = ("stop", "stop2", "cancel", "pair", "inside", "signal")
"""Axes whose trigger begins the end; after the others the natural end is still to come."""


class Recorder(Observer):
    """Puts down what happened to each task of one run; `story` tells it when the run is over."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: list[Lane] = []
        self.storm = Lane(name="storm", born="")
        self.log: list[str] = []
        self.ends: dict[int, tuple[float, str]] = {}
        self.judged: tuple[float, int] | None = None
        """When it was looked what is left, and the number of callbacks up to then."""
        self._clock: dict[int, float] = {}
        self._stood: dict[int, str] = {}
        self._found = self._struck = 0
        self.failed = False
        """Whether the call that was to fail has come."""

    # --- while it runs ------------------------------------------------------------------------------

    def stepped(self, handle: Any, task: Any, sort: str) -> None:
        """Note a callback that has run."""
        super().stepped(handle, task, sort)
        self._clock[self.loop.point - 1] = self.now()
        self._look(task, sort)

    def later(self, handle: Any, task: Any, sort: str) -> None:
        """Note a callback that has run after the end of the stop."""
        self._look(task, sort)

    def judge(self) -> None:
        """Look for the last time before what is left is judged."""
        self._births()
        for lane, task in zip(self.lanes, self.loop.tasks, strict=False):
            lane.name = plain(name_of(task))  # it may have got another one
        self.judged = (self.now(), self.loop.point)

    def now(self) -> float:
        """Return the virtual seconds since the start."""
        time: float = self.loop.time()
        return round(time - START, 9)

    def _look(self, task: Any, sort: str) -> None:
        """Put down what one callback has done."""
        self._births()
        number = STORM if task is None else self._number(task)
        if number != STORM:
            place = place_of(task)
            if sort == CANCEL:
                self._put(number, "c", f"CancelledError at {self._stood.get(number, 'its first step')}")
            if not task.done():
                self._put(number, ".", place)
            self._stood[number] = place
        found = self.env.found
        for violation in found[self._found :]:
            self._put(number, "!", said(violation))
        self._found = len(found)
        if number != STORM and task.done():
            self._end(number, task)
        self._fault()
        for text in self.env.struck[self._struck :]:
            self._put(STORM, "S", text)
        self._struck = len(self.env.struck)

    def _births(self) -> None:
        """Put down the tasks that are new."""
        loop = self.loop
        for number in range(len(self.lanes), len(loop.tasks)):
            task = loop.tasks[number]
            name = plain(name_of(task))
            born = "" if OURS.fullmatch(name) else plain(line_at(loop.births[number]))
            self.lanes.append(Lane(name=name, born=born))
            self._put(number, "o", f"born {born}" if born else "born")
            if task.done():  # an eager one
                self._end(number, task)

    def _end(self, number: int, task: Any) -> None:
        """Put down how a task has ended; its exception stays unasked for."""
        if number in self.ends:
            return
        error = error_of(task)
        outcome = "cancelled" if task.cancelled() else "completed" if error is None else "error"
        self.ends[number] = (self.now(), outcome)
        self._put(number, "x", outcome if error is None else f"{outcome}: {type(error).__name__}")

    def _fault(self) -> None:
        """Put down the call that fails."""
        fault = self.env.fault
        if fault is None or self.failed or self.env.depended.get(fault.dependency, 0) <= fault.call:
            return
        self.failed = True
        rest = " and all later ones fail" if fault.persistent else " fails"
        self._put(STORM, "S", f"{fault.dependency}: call {fault.call}{rest}")

    def _put(self, number: int, mark: str, text: str) -> None:
        lane = self.storm if number == STORM else self.lanes[number]
        lane.events.append(Event(self.now(), max(0, self.loop.point - 1), mark, text))

    # --- when it is over ----------------------------------------------------------------------------

    def story(self, outcome: Outcome, token: str) -> Story:
        """Return what is to be told of the run; its log comes from whoever has listened.

        Parameters:
            outcome: what came of it.
            token: replays it.
        """
        self._triggers(outcome)
        self._verdicts(outcome)
        self.storm.events.sort(key=lambda event: event.point)
        trigger = next((event.time for event in self.storm.events if event.mark == "S"), None)
        if trigger is None:
            trigger = max(self._clock.values(), default=0.0) - outcome.drain
        counts = Counter(lane.name for lane in self.lanes)
        seen: Counter[str] = Counter()
        for lane in self.lanes:
            seen[lane.name] += 1
            if counts[lane.name] > 1:
                lane.name += f" #{seen[lane.name]}"
        return Story(
            token=token,
            lanes=[self.storm, *self.lanes],
            drains=list(self._drains(trigger)),
            texts=list(dict.fromkeys(said(violation) for violation in outcome.violations)),
            log=self.log,
        )

    def _triggers(self, outcome: Outcome) -> None:
        """Put down when the storm struck."""
        plan = outcome.plan
        if plan.axis not in STOPPING:
            self._natural_end(outcome)
        if not outcome.hit or plan.axis not in TRIGGERS:
            return
        victim = self.lanes[plan.victim].name if 0 <= plan.victim < len(self.lanes) else "a task"
        text = TRIGGERS[plan.axis].replace("{victim}", victim)
        for point, what in ((plan.point, text), (plan.second, SECOND)):
            at = next((p for p in self._clock if p >= point >= 0), None)
            if at is not None:
                self.storm.events.append(Event(self._clock[at], at, "S", f"{what}, before point {point}"))

    def _natural_end(self, outcome: Outcome) -> None:
        """Put down when the root has begun to stop the service of its own."""
        if not self.lanes or (0 not in self.ends and not outcome.drain):
            return  # it did not come so far
        began = max(self._clock.values(), default=0.0) if 0 not in self.ends else self.ends[0][0]
        began = round(began - outcome.drain, 9)
        steps = (event for event in self.lanes[0].events if event.mark in ".x" and event.time >= began)
        first = next(steps, None)
        if first is not None:
            self.storm.events.append(Event(first.time, first.point, "S", "its natural end: stop()"))

    def _verdicts(self, outcome: Outcome) -> None:
        """Put down what was found wrong after the end, with the task that it names where it names one."""
        told = len(outcome.violations) - len(self.env.found)
        time, point = self.judged or (0.0, 0)
        marked: set[int] = set()
        for violation in (*outcome.violations[:told], *self.env.found[self._found :]):
            number = self._meant(violation, marked)
            marked.add(number)
            lane = self.storm if number == STORM else self.lanes[number]
            lane.events.append(Event(time, point, "!", said(violation)))

    def _meant(self, violation: Violation, marked: set[int]) -> int:
        """Return the number of the task that a violation names, best one that lives and was not named yet."""
        found = TASK.search(violation.text)
        name = found[1] if found is not None else violation.where
        same = [number for number, lane in enumerate(self.lanes) if lane.name == name]
        same.sort(key=lambda number: (number in self.ends, number in marked))
        return same[0] if same else STORM

    def _drains(self, trigger: float) -> Iterator[Drain]:
        """Yield how each task ended that did not end before the trigger."""
        for number, lane in enumerate(self.lanes):
            time, outcome = self.ends.get(number, (None, "left"))
            if time is None:
                yield Drain(name=lane.name, seconds=None, outcome=outcome)
            elif time >= trigger:
                yield Drain(name=lane.name, seconds=round(time - trigger, 9), outcome=outcome)


def said(violation: Violation) -> str:
    """Return a violation in one line."""
    scale = "" if violation.scale == "violation" else f" ({violation.scale})"
    return f"{violation.oracle} {violation.name}{scale}: {plain(violation.text)}"
