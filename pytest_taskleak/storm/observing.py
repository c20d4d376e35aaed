"""What happens at each point of a run, so that the points have names and tasks have suspensions?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.adapt import watched
from pytest_taskleak.adapt.anyio_hermetic import is_child
from pytest_taskleak.storm.places import place_of
from pytest_taskleak.storm.wording import plain


@dataclass(frozen=True, slots=True)
class Step:
    """One callback that has run.

    Parameters:
        label: whose it was, and where it stands now: `worker-0@Service._work+3`.
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

    def stepped(self, handle: Any, task: Any, sort: str) -> None:
        """Note a callback that has run."""
        if task is None:
            label = watched.callback_label(handle)
            number, lives = -1, False
        else:
            number = -1 if is_child(task) else self._number(task)
            lives = not task.done()
            name = task.get_name()
            if " 0x" in name:  # the repr of a coroutine or an object
                name = plain(name)
            label = f"{'task' if name.startswith('Task-') else name}@{place_of(task)}"
        self.steps.append(Step(label, self._counts[label], number, lives, self.loop.time()))
        self._counts[label] += 1

    def later(self, handle: Any, task: Any, sort: str) -> None:
        """Note a callback that has run after the end of the stop."""

    def judge(self) -> None:
        """Look for the last time before what is left is judged."""

    def _number(self, task: Any) -> int:
        """Return the number of a task by its birth."""
        known = self._numbers.get(id(task))
        if known is None:
            for number in range(len(self._numbers), len(self.loop.tasks)):
                self._numbers[id(self.loop.tasks[number])] = number
            known = self._numbers.get(id(task), -1)
        return known
