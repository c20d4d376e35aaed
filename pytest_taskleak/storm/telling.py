"""How is a sweep, or one run of it, put into values that can be written down and read elsewhere?"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_taskleak.adapt.hermetic import START
from pytest_taskleak.adapt.quiet import Quiet
from pytest_taskleak.storm import causes
from pytest_taskleak.storm.observing import Step
from pytest_taskleak.storm.recording import Recorder
from pytest_taskleak.storm.results import AxisResult, StormReport, Story
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.wording import plain
from pytest_taskleak.timing import now

if TYPE_CHECKING:
    from pytest_taskleak.storm.sweep import Sweep

SCHEMA = 1
"""The version of the document; it is raised when something is renamed or taken away."""
MOST_LOG = 1_000
"""Lines of the log that are kept."""
NOT_RUN = " "
"""Stands in a strip for a point that has no run."""


def tell(play: Callable[[Recorder], Outcome], token: str) -> tuple[Outcome, Story]:
    """Make one run and return what came of it, and its whole story with everything that was logged.

    Parameters:
        play: makes the run, and lets it be observed by what it is given.
        token: replays it.
    """
    recorder = Recorder()
    with listening(recorder):
        outcome = play(recorder)
    story = recorder.story(outcome, token)
    outcome.hit = outcome.hit or recorder.failed
    recorder.loop = recorder.env = None
    return outcome, story


def replayed(sweep: Sweep, token: str) -> StormReport:
    """Make the run that a token names, twice, and return what came of it with its whole story.

    Parameters:
        sweep: of the same service and load.
        token: as a failure prints it.

    Raises:
        TokenError: it cannot be read, or the moment does not come any more.
    """
    began = now()
    outcome, story = tell(lambda observer: sweep.replay(token, observer), token)
    with listening(None):
        again = sweep.replay(token)
    plan, bad = outcome.plan, any(violation.scale == "violation" for violation in outcome.violations)
    axis = AxisResult(axis=plan.axis, planned=1, ran=1, failing=int(bad), worst_drain=outcome.drain)
    same = texts_of(outcome) == texts_of(again)
    return StormReport(
        name=sweep.name,
        points=outcome.points,
        runs=2,
        seconds=now() - began,
        seeds=(plan.seed,),
        deadline=sweep.limits.deadline,
        grace=sweep.limits.grace,
        deterministic=same,
        divergence="" if same else "they do not find the same",
        axes=[axis],
        causes=causes.of_run(outcome.violations, plan, token),
        story=story,
        complete=outcome.hit or plan.axis == "baseline",
        replay=token,
    )


def texts_of(outcome: Outcome) -> list[str]:
    """Return what a run has found, in words that two runs of the same share."""
    return [plain(violation.text) for violation in outcome.violations]


class Listener(logging.Handler):
    """Puts down what is logged during one run, with virtual times.

    Parameters:
        recorder: of the run.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(logging.DEBUG)
        self.recorder = recorder
        self.judged = False

    def emit(self, record: logging.LogRecord) -> None:
        """Put down one record."""
        recorder = self.recorder
        if recorder.loop is None or len(recorder.log) >= MOST_LOG:
            return  # the baseline that comes first, or too much of it
        if recorder.judged is not None and not self.judged:
            self.judged = True
            recorder.log.append("(judged; from here on it is stopped once more, and cleared away)")
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 -- a slip in the user's log call, and none of ours
            message = f"{record.msg!r} (cannot be formatted: {error})"
        if record.exc_info and record.exc_info[1] is not None:
            message += f" [{record.exc_info[1]!r}]"
        recorder.log.append(f"{recorder.now():.3f} {record.levelname} {record.name}: {plain(message)}")


@contextlib.contextmanager
def listening(recorder: Recorder | None) -> Iterator[None]:
    """Let all that is logged, from debug on, go to the recorder in place of the root's handlers.

    Parameters:
        recorder: of the one run; `None` for the many of a sweep, of which nobody reads the log: then the
            handlers of other loggers hear nothing, too.
    """
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = [logging.NullHandler() if recorder is None else Listener(recorder)]
    if recorder is not None:
        root.setLevel(logging.DEBUG)
    try:
        with Quiet() if recorder is None else contextlib.nullcontext():
            yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def divergence(one: Sequence[Step], other: Sequence[Step], place: int | None) -> str:
    """Say where two runs of the same part."""
    if place is None:
        place = min(len(one), len(other))
    first, second = (
        f"{run[place].label} at {run[place].time - START:.6g} s" if place < len(run) else "its end"
        for run in (one, other)
    )
    return plain(f"at point {place}: {first} in one run, {second} in the other")


def document(report: StormReport, *, nodeid: str = "") -> dict[str, Any]:
    """Return a sweep as values that JSON knows: those of `StormReport`, and what follows from them.

    The marks of an axis are a `strip`, with one character for each point, a blank where nothing was run.

    Parameters:
        report: the sweep.
        nodeid: of the test that made it.
    """
    whole = asdict(report)
    whole["seeds"] = list(report.seeds)
    for axis, values in zip(report.axes, whole["axes"], strict=True):
        marks = values.pop("marks")
        values["strip"] = "".join(
            marks.get(place, NOT_RUN) for place in range(max(axis.marks, default=-1) + 1)
        )
    worst = max((axis.worst_drain for axis in report.axes), default=0.0)
    head = {"schema": SCHEMA, "kind": "storm", "nodeid": nodeid}
    return {**head, **whole, "failing": report.failing, "worst_drain": worst}


def write(values: dict[str, Any], path: str) -> None:
    """Write a document as JSON; the file is whole or as it was before.

    Parameters:
        values: what `document` has made.
        path: the file; its folder is made.

    Raises:
        OSError: it cannot be written.
    """
    write_text(json.dumps(values, indent=1) + "\n", path)


def write_text(text: str, path: str) -> None:
    """Write a text; the file is whole or as it was before.

    Parameters:
        text: the whole of it.
        path: the file; its folder is made.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    number, beside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(beside, 0o666 & ~umask())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def umask() -> int:
    """Return which permissions new files do not get."""
    found = os.umask(0)
    os.umask(found)
    return found
