"""What can be raised and warned, and what does each code mean?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_taskleak.model import Finding, Verdict

if TYPE_CHECKING:
    from _pytest.outcomes import Failed
else:
    Failed = pytest.fail.Exception


class TaskLeak(Failed):
    """A test or fixture left something behind; raised by the plugin, shown without a traceback."""

    __module__ = "builtins"  # so that the summary says `TaskLeak`, as pytest's own `Failed` does

    def __init__(
        self, msg: str | None = None, *, pytrace: bool = False, verdict: Verdict | None = None
    ) -> None:
        super().__init__(msg=msg, pytrace=pytrace)
        self.verdict = verdict


class LeakError(Exception):
    """One leak of a `no_leaks` block.

    Attributes:
        finding: everything that is known about it.
    """

    __module__ = "pytest_taskleak"

    def __init__(self, message: str, finding: Finding) -> None:
        super().__init__(message)
        self.finding = finding


class LeakGroup(ExceptionGroup[LeakError]):
    """The leaks of one `no_leaks` block."""

    __module__ = "pytest_taskleak"

    def derive(self, excs: Sequence[LeakError]) -> LeakGroup:  # type: ignore[override]
        """Return a group of the same kind for a part of the leaks."""
        return LeakGroup(self.message, excs)


class TaskleakWarning(pytest.PytestWarning):
    """A leak in warn mode, or a word of the plugin about itself."""

    __module__ = "pytest_taskleak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The page of a message code."""

    title: str
    meaning: str
    cause: str
    cure: str


CODES: dict[str, Code] = {
    "TL101": Code(
        title="task left running",
        meaning="A task was still pending when the scope of its owner had closed, on a live loop.",
        cause="create_task() whose result nobody awaits or cancels; a background worker without a stop.",
        cure="Keep the task; cancel and await it, or let asyncio.TaskGroup do both.",
    ),
    "TL102": Code(
        title="task cut off",
        meaning="A task was pending when its runner closed (asyncio.run, Runner.close, a test runner's) "
        "and was cancelled in silence.",
        cause="The main coroutine returned before the tasks that it had started.",
        cure="Await or cancel the task before the main coroutine returns.",
    ),
    "TL103": Code(
        title="task destroyed",
        meaning="A loop was closed while a task on it was pending; nobody had cancelled the task.",
        cause="loop.close() right after run_until_complete(), with work left over.",
        cure="Cancel what is left and run the loop until it has ended, or use asyncio.run.",
    ),
    "TL104": Code(
        title="task stuck",
        meaning="A task was cancelled and did not end within the bound.",
        cause="except BaseException, except CancelledError or suppress() around an await in a loop.",
        cure="Let CancelledError through: catch it only to clean up, then raise it again.",
    ),
    "TL201": Code(
        title="timer left scheduled",
        meaning="A call_later() or call_at() timer was still armed when its owner's scope had closed.",
        cause="The handle was not kept, or close() forgets it; a periodic callback arms itself again.",
        cure="Keep the handle and cancel it when closing.",
    ),
    "TL202": Code(
        title="timer dropped",
        meaning="A loop was closed while a timer on it was still scheduled; its callback will never run.",
        cause="As TL201, seen at the last moment.",
        cure="Keep the handle and cancel it when closing.",
    ),
    "TL301": Code(
        title="thread left running",
        meaning="A thread was alive when its owner's scope had closed.",
        cause="No stop signal, no join(); a blocking call without a timeout; a Timer not cancelled.",
        cure="Give the thread a way to stop, then join() it.",
    ),
    "TL302": Code(
        title="raw thread left running",
        meaning="A thread of _thread.start_new_thread was alive when its owner's scope had closed.",
        cause="Such a thread cannot be joined; nothing waits for it.",
        cure="Use threading.Thread and join() it.",
    ),
    "TL303": Code(
        title="executor not shut down",
        meaning="A thread or process pool executor was never shut down; its workers live on.",
        cause="An executor made without a with statement, or kept by an object that has no close().",
        cure="Use the executor in a with statement, or call its shutdown().",
    ),
    "TL304": Code(
        title="executor call left running",
        meaning="A call submitted to an executor (to_thread, run_in_executor, submit) had not returned.",
        cause="A blocking call in a worker thread; cancelling the awaiting task does not stop the thread.",
        cure="Wait for the result, and give the call a timeout or a way to be stopped.",
    ),
    "TL901": Code(
        title="fault of the plugin",
        meaning="A detector raised an exception and was switched off for the rest of the session.",
        cause="A fault of pytest-taskleak, or of a third-party detector.",
        cure="Please report it, with the traceback that is shown.",
    ),
    "TL902": Code(
        title="the watch is blind",
        meaning="A planted leak was not seen at the start of the session, so that green would mean nothing.",
        cause="Another tool has replaced what the plugin patches.",
        cure="Take the kind out of taskleak_detect, or the other tool out of the run.",
    ),
}
