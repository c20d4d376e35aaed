"""What happens at each point of a run, so that the points have names and tasks have suspensions?"""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.adapt import watched
from pytest_taskleak.adapt.anyio_hermetic import is_child
from pytest_taskleak.adapt.asyncio_ import waiter_of
from pytest_taskleak.adapt.code import LIBRARY, PACKAGE, USER, kind_of
from pytest_taskleak.adapt.task_steps import is_future
from pytest_taskleak.adapt.wakes import code_of, ends, held, lent_to
from pytest_taskleak.storm.places import ENDED, name_of, place_of, worded
from pytest_taskleak.storm.wording import plain

WOKEN = ":woken"
"""Stands behind the label of a task when something that is no task's has ended what it waits for."""
STORM = "storm"
"""What the storm's own callbacks are called."""


@dataclass(frozen=True, slots=True)
class Step:
    """One callback that has run.

    Parameters:
        label: whose it was, and where it stands now, as `worker-0@Service._work+3`.  Of a callback that is no
            task's: whom it has woken there, as `worker-0@Service._work+3:woken`; of whose end it was told, as
            `worker-0@ended:TaskGroup._on_task_done`; else what it is called.
        occurrence: how often the same label was there before.
        task: the number of its task by birth; -1 for a callback that is no task's, and for a child of a task
            group of anyio, which is cancelled through its scope alone.
        lives: whether the task has not ended.
        time: the virtual time in seconds.
    """

    label: str
    occurrence: int
    task: int
    lives: bool
    time: float


class Observer:
    """Puts down the steps of one run, up to the end of its stop."""

    def __init__(self) -> None:
        self.loop: Any = None
        """The simulated loop; the run sets it."""
        self.env: Any = None
        """The environment; the run sets it."""
        self.steps: list[Step] = []
        self._counts: Counter[str] = Counter()
        self._numbers: dict[int, int] = {}
        self._labels: dict[int, str] = {}
        self._waits: dict[int, tuple[Any, Any, str]] = {}
        self._lent: dict[int, tuple[int, str]] = {}
        self._born = 0

    def stepped(self, handle: Any, task: Any, sort: str) -> None:
        """Note a callback that has run."""
        if task is None:
            label = self._of_callback(handle)
            number, lives = -1, False
        else:
            own = self._number(task)
            number = -1 if is_child(task) else own
            lives = not task.done()
            label = self._of_task(own, task)
        self.steps.append(Step(label, self._counts[label], number, lives, self.loop.time()))
        self._counts[label] += 1

    def later(self, handle: Any, task: Any, sort: str) -> None:
        """Note a callback that has run after the end of the stop."""

    def judge(self) -> None:
        """Look for the last time before what is left is judged."""

    def _of_task(self, number: int, task: Any) -> str:
        """Return the label of a task's step, and note what it waits for now."""
        lender, name = self._lent.get(number, (-1, ""))
        name = name or called(task)
        if lender >= 0 and task.done():
            return self._labels.get(lender, name) + WOKEN
        label = self._labels[number] = worded(f"{name}@{place_of(task)}")
        awaited = waiter_of(task)
        if is_future(awaited):
            self._waits[id(awaited)] = (weakref.ref(awaited), weakref.ref(task), label)
            for new in range(self._born, len(self.loop.tasks)):
                if any(waiter is awaited for waiter in lent_to(self.loop.tasks[new])):
                    self._lent[new] = (number, name)
        self._born = len(self.loop.tasks)
        return label

    def _of_callback(self, handle: Any) -> str:
        """Return the label of a callback that is no task's."""
        code = code_of(handle)
        path = "" if code is None else code.co_filename
        users = kind_of(path) in (USER, LIBRARY) if path else False
        name = STORM if path.startswith(PACKAGE) else worded(watched.callback_label(handle))
        for task in () if users else ends(handle):
            label = self._labels.get(self._number(task))
            if label:
                return label + WOKEN
        for future in held(handle, closure=not users):
            if isinstance(future, asyncio.Task) and future.done():
                return worded(f"{called(future)}@{ENDED}:{name}")
            label, waits = ("", False) if users else self._who_waits(future)
            if label:
                return label + (WOKEN if waits and future.done() else f":{name}")
        return name

    def _who_waits(self, future: Any) -> tuple[str, bool]:
        """Return the label of who waits for a future, or did at last, and whether that has not gone on."""
        known = self._waits.get(id(future))
        if known is not None and known[0]() is future:
            task = known[1]()
            return known[2], task is not None and waiter_of(task) is future
        for task in self.loop.tasks:  # one that has begun at once, and was never seen to make a step
            if waiter_of(task) is future:
                return worded(f"{called(task)}@{place_of(task)}"), True
        return "", False

    def _number(self, task: Any) -> int:
        """Return the number of a task by its birth."""
        known = self._numbers.get(id(task))
        if known is None:
            for number in range(len(self._numbers), len(self.loop.tasks)):
                self._numbers[id(self.loop.tasks[number])] = number
            known = self._numbers.get(id(task), -1)
        return known


def called(task: Any) -> str:
    """Return what a task is called, the same in each run."""
    name = name_of(task)
    return plain(name) if " 0x" in name else name  # the repr of a coroutine or an object
