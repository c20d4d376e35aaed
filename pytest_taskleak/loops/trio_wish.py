"""How does a task of trio wait until time has been moved by hand?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

from pytest_taskleak.adapt import trio_clock as inner
from pytest_taskleak.loops.steps import Step, Steps


class Wish:
    """Lets a task of trio wait until time has been moved.

    Parameters:
        runner: trio's, which runs the task.
        steps: the wishes that time moves.
        make: returns a step that calls what it is given when it ends.
        told: whether the result is the time that was reached.
    """

    def __init__(
        self, runner: Any, steps: Steps, make: Callable[[Callable[[Step], None]], Step], *, told: bool
    ) -> None:
        from trio import Event

        self._told = told
        self._runner = runner
        self._steps = steps
        self._home = threading.get_ident()
        self._event = Event()
        self.step = make(self._done)
        steps.add(self.step)

    def __iter__(self) -> Generator[Any, Any, float | None]:
        wait: Any = self._event.wait()
        try:
            yield from wait.__await__()
        finally:
            self._steps.drop(self.step)
        if self.step.error is not None:
            raise self.step.error
        return self.step.reached if self._told else None

    def _done(self, step: Step) -> None:
        inner.soon(self._runner, self._event.set, here=threading.get_ident() == self._home)
