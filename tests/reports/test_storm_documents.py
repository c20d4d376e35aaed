"""What a storm of a small service writes down: documents, files, and the whole story of one run."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.adapt import hermetic
from pytest_taskleak.engine.unwatched import unwatched
from pytest_taskleak.report import storm_text
from pytest_taskleak.storm import telling
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.observing import Observer
from pytest_taskleak.storm.results import Lane, StormReport, Story
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep

LOG = logging.getLogger("storm.tests.service")
AXES = ("stop", "cancel", "kill", "fault")


class Tidy:
    """Ends all that it has begun, whenever it is stopped."""

    def __init__(self, env: Env) -> None:
        self.db = env.dep("db")
        self.items: asyncio.Queue[int | None] = asyncio.Queue()
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.tasks = [asyncio.create_task(self.tick(), name=f"ticker-{number}") for number in range(2)]

    async def tick(self) -> None:
        for _ in range(2):
            await asyncio.sleep(0.25)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Untidy(Tidy):
    """Uses what is closed, is slow to end, and leaves a task once it has begun to work."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.file = env.resource("file")

    async def start(self) -> None:
        self.file.open()
        self.tasks = [
            asyncio.create_task(self.write(), name="writer"),
            asyncio.create_task(self.flush(), name="flusher"),
        ]

    async def write(self) -> None:
        await asyncio.sleep(0.25)
        unnamed = asyncio.create_task(self.index())
        try:
            await asyncio.sleep(0.5)
        except asyncio.CancelledError:
            self.file.use()
            raise
        unnamed.cancel()

    async def index(self) -> None:
        await asyncio.sleep(1e6)

    async def flush(self) -> None:
        try:
            await asyncio.sleep(0.75)
        except asyncio.CancelledError:
            LOG.debug("flushing %d", 3)
            await asyncio.sleep(2.5)
            raise OSError("disk full") from None

    async def stop(self) -> None:
        if self.file.is_open:
            self.file.close()
        await super().stop()


def storm(service: Callable[[Env], Any], axes: tuple[str, ...] = AXES, **options: Any) -> Sweep:
    """Return a sweep of a service without a load."""
    return Sweep(maker(service), None, service.__name__, axes, **options)


def swept(service: Callable[[Env], Any], axes: tuple[str, ...] = AXES, **options: Any) -> StormReport:
    """Return what the sweep of a service has found."""
    with unwatched():
        return storm(service, axes, **options).sweep()


def played(service: Callable[[Env], Any], token: str) -> Story:
    """Return the story of one moment."""
    sweep = storm(service)
    with unwatched():
        return telling.tell(replaying(sweep, token), token)[1]


def replaying(sweep: Sweep, token: str) -> Callable[[Observer], Outcome]:
    """Return what makes the run of a token."""
    return lambda observer: sweep.replay(token, observer)


def lane(story: Story, name: str) -> Lane:
    return next(lane for lane in story.lanes if lane.name == name)


def marks(story: Story, name: str) -> str:
    """Return what is marked in a lane, steps left out."""
    return "".join(event.mark for event in lane(story, name).events if event.mark != ".")


@pytest.fixture(scope="module")
def failing() -> StormReport:
    return swept(Untidy)


@pytest.fixture(scope="module")
def clean() -> StormReport:
    return swept(Tidy)


# --- a sweep ----------------------------------------------------------------------------------------------


def test_a_clean_sweep_is_one_line(clean: StormReport) -> None:
    [line] = storm_text.lines(clean)
    assert re.fullmatch(
        r"shutdown storm Tidy: \d+ runs in [\d.]+ s, \d+ points: stop (\d+)/\1, cancel (\d+)/\2, kill (\d+)/\3, "
        r"fault 0/0; deterministic; worst drain \d\.\d{3} s",
        line,
    )
    assert clean.story is None


def test_a_failing_sweep_tells_its_first_failure(failing: StormReport) -> None:
    told = storm_text.lines(failing)
    assert re.match(r"shutdown storm Untidy: \d causes, \d+ of \d+ runs failing, ", told[0])
    assert failing.story is not None
    assert failing.story.token == failing.causes[0].token
    assert f"first failure: {failing.causes[0].token}" in told
    names = {cause.name for cause in failing.causes}
    assert {"task left", "used after close"} <= names


def test_the_strips_have_a_mark_for_each_run(failing: StormReport) -> None:
    values = telling.document(failing)
    strips = {axis["axis"]: axis["strip"] for axis in values["axes"]}
    stop = next(axis for axis in failing.axes if axis.axis == "stop")
    assert len(strips["stop"]) == stop.ran == failing.points
    assert len(strips["stop"].replace(".", "")) == stop.failing
    assert " " in strips["kill"]


def test_nothing_in_it_is_of_this_run_or_this_machine(failing: StormReport) -> None:
    again = swept(Untidy)
    again.seconds = failing.seconds
    assert telling.document(again) == telling.document(failing)
    text = "\n".join(storm_text.lines(failing, verbosity=1)) + json.dumps(telling.document(failing))
    assert not re.search(r"0x[0-9a-f]{4}|Task-\d", text)
    assert os.getcwd() not in text
    assert "born tests/reports/test_storm_documents.py:" in text


def test_a_spent_budget_counts_what_was_not_begun(clean: StormReport) -> None:
    cut = swept(Tidy, budget=1e-9)
    assert not cut.complete
    assert [(axis.axis, axis.planned) for axis in cut.axes] == [(a.axis, a.planned) for a in clean.axes]
    assert sum(axis.ran for axis in cut.axes) == 0
    both = swept(Tidy, budget=1e-9, seeds=(0, 1))
    assert sum(axis.planned for axis in both.axes) == 2 * sum(axis.planned for axis in clean.axes)


def test_a_sweep_that_is_stopped_by_hand_keeps_what_it_has(clean: StormReport) -> None:
    def enough(axis: str, made: int, planned: int) -> None:
        if axis == "stop" and made == 5:
            raise KeyboardInterrupt

    cut = swept(Untidy, progress=enough)
    assert (cut.interrupted, cut.complete) == (True, False)
    assert [axis.ran for axis in cut.axes] == [5, 0, 0, 0]
    told = storm_text.lines(cut, width=200)
    assert "  note  stopped by hand: swept 5 of " in told[1]


def test_a_service_that_is_never_the_same_is_named_with_the_first_difference() -> None:
    runs: list[int] = []

    class Fickle(Tidy):
        async def start(self) -> None:
            runs.append(0)
            await super().start()
            if len(runs) % 2:
                self.tasks.append(asyncio.create_task(self.tick(), name="odd"))

    report = swept(Fickle, ("stop",))
    assert report.deterministic is False
    assert re.fullmatch(
        r"at point \d+: \S+ at \S+ s in one run, \S+ at \S+ s in the other", report.divergence
    )
    assert "odd@" in report.divergence
    assert "; NOT deterministic; " in storm_text.lines(report)[0]


def test_what_is_only_advised_fails_nothing() -> None:
    class Pooled(Tidy):
        async def start(self) -> None:
            await super().start()
            asyncio.get_running_loop().run_in_executor(None, int)

    report = swept(Pooled, ("stop",))
    assert {cause.scale for cause in report.causes} == {"advisory"}
    assert not report.failing
    assert report.axes[0].failing == 0
    assert set(report.axes[0].marks.values()) == {"."}
    head, note, *_ = storm_text.lines(report)
    assert head.startswith("shutdown storm Pooled: ")
    assert note.startswith("advisory  H thread left")


# --- the story of one run ---------------------------------------------------------------------------------


def test_a_story_tells_each_task(failing: StormReport) -> None:
    sweep = storm(Untidy)
    with unwatched():
        steps = sweep.baseline(0).steps
        point = 1 + next(
            n for n, step in enumerate(steps) if step.time - hermetic.START >= 0.25 and step.task >= 0
        )
        outcome, story = telling.tell(replaying(sweep, f"stop@{point}"), f"stop@{point}")
    assert outcome.hit
    assert [lane.name for lane in story.lanes] == [
        "storm",
        "root",
        "writer",
        "flusher",
        "Untidy.index",
        "stop-0",
    ]
    assert marks(story, "storm") == "S"
    assert marks(story, "writer") == "oc!x"
    assert marks(story, "flusher") == "ocx"
    assert marks(story, "Untidy.index") == "o!"
    assert {drain.name: (drain.seconds, drain.outcome) for drain in story.drains} == {
        "root": (2.5, "completed"),
        "writer": (0.0, "cancelled"),
        "flusher": (2.5, "error"),
        "Untidy.index": (None, "left"),
        "stop-0": (2.5, "completed"),
    }
    assert [text.partition(":")[0] for text in story.texts] == ["T task left", "C used after close"]
    assert story.log == ["0.250 DEBUG storm.tests.service: flushing 3"]
    assert [event.text for event in lane(story, "flusher").events if event.mark in "cx"] == [
        "CancelledError at Untidy.flush+2",
        "error: OSError",
    ]
    writer = lane(story, "writer")
    assert re.fullmatch(r"tests/reports/test_storm_documents\.py:\d+ in Untidy\.start", writer.born)
    assert lane(story, "root").born == ""


def test_a_cancellation_before_the_first_step_is_seen() -> None:
    class Hasty(Tidy):
        async def start(self) -> None:
            await super().start()
            self.tasks[0].cancel()

    story = played(Hasty, "stop@3")
    assert [event.text for event in lane(story, "ticker-0").events if event.mark == "c"] == [
        "CancelledError at its first step"
    ]
    assert marks(story, "ticker-1") == "ocx"


def test_a_targeted_cancel_and_the_natural_end_are_both_marked() -> None:
    sweep = storm(Tidy)
    with unwatched():
        sweep.sweep()
        point = 1 + next(
            n for n, step in enumerate(sweep.baseline(0).steps) if step.label.startswith("ticker-1@")
        )
        story = telling.tell(replaying(sweep, f"kill@{point}"), "kill")[1]
    strikes = [event for event in story.lanes[0].events if event.mark == "S"]
    assert [event.text for event in strikes] == [
        f"ticker-1 is cancelled, before point {point}",
        "its natural end: stop()",
    ]
    assert strikes[0].time < strikes[1].time


def test_a_call_that_fails_is_marked() -> None:
    class Calling(Tidy):
        async def tick(self) -> None:
            await self.db()

    sweep = storm(Calling)
    with unwatched():
        outcome, story = telling.tell(replaying(sweep, "fault,db:1+"), "fault,db:1+")
    assert outcome.hit
    assert story.lanes[0].events[0].text == "db: call 1 and all later ones fail"


def test_tasks_of_one_name_are_told_apart() -> None:
    class Twins(Tidy):
        async def start(self) -> None:
            self.tasks = [asyncio.create_task(self.tick()) for _ in range(2)]

    story = played(Twins, "stop@1")
    assert [lane.name for lane in story.lanes][2:4] == ["Tidy.tick #1", "Tidy.tick #2"]


def test_of_tasks_of_one_name_the_one_that_is_left_is_marked() -> None:
    class Half(Tidy):
        async def start(self) -> None:
            self.tasks = [asyncio.create_task(self.tick(), name="twin") for _ in range(3)]

        async def stop(self) -> None:
            self.tasks[0].cancel()
            self.tasks[2].cancel()
            await asyncio.sleep(0)

    story = played(Half, "stop@4")
    assert [marks(story, f"twin #{number}") for number in (1, 2, 3)] == ["ocx", "o!", "ocx"]


def test_an_exception_that_nobody_asks_for_is_still_found() -> None:
    """The recorder looks at how a task ended, and must not count as somebody who asked."""

    class Raising(Tidy):
        async def start(self) -> None:
            task = asyncio.create_task(self.burst(), name="burst")
            task.add_done_callback(self.tasks.append)

        async def burst(self) -> None:
            await asyncio.sleep(0)
            raise ValueError("nobody asks")

        async def stop(self) -> None:
            self.tasks.clear()

    bare = storm(Raising)
    with unwatched():
        plain = [violation.oracle for violation in bare.replay("stop@2").violations]
    story = played(Raising, "stop@2")
    assert plain == ["E"]
    assert story.texts == ["E exception lost: Task exception was never retrieved: ValueError('nobody asks')"]


def test_the_same_is_found_with_and_without_an_observer(failing: StormReport) -> None:
    sweep = storm(Untidy)
    for token in {cause.token for cause in failing.causes}:
        with unwatched():
            bare = sweep.replay(token)
            outcome, _ = telling.tell(replaying(sweep, token), token)
        assert outcome.violations == bare.violations
        assert outcome.drain == bare.drain


def test_a_run_without_an_observer_asks_nothing_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def counted(name: str) -> None:
        original = getattr(hermetic, name)

        def look(*args: object) -> object:
            looked.append(name)
            return original(*args)

        monkeypatch.setattr(hermetic, name, look)

    sweep = storm(Tidy)
    with unwatched():
        sweep.replay("stop@3")  # its baseline is observed
        counted("step_of")
        counted("cancels")
        assert sweep.replay("stop@3").hit
        assert looked == []
        sweep.replay("stop@3", Observer())
        assert set(looked) == {"step_of", "cancels"}


def test_a_replay_is_a_report_of_one_moment(failing: StormReport) -> None:
    cause = failing.causes[0]
    with unwatched():
        report = telling.replayed(storm(Untidy), cause.token)
    assert (report.replay, report.complete, report.deterministic) == (cause.token, True, True)
    assert (cause.oracle, cause.where) in {(one.oracle, one.where) for one in report.causes}
    assert report.story == failing.story
    head = storm_text.lines(report)[0]
    assert head.startswith("shutdown storm Untidy, one moment: ")
    with unwatched():
        late = telling.replayed(storm(Tidy), "stop@5000")
    assert not late.complete
    assert "nothing is known" in storm_text.lines(late)[0]


# --- logging ----------------------------------------------------------------------------------------------


def test_logging_is_afterwards_what_it_was(caplog: pytest.LogCaptureFixture) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    swept(Untidy)
    played(Untidy, "stop@3")
    assert (root.handlers, root.level) == before
    with pytest.raises(ZeroDivisionError), telling.listening(None):
        raise ZeroDivisionError
    assert (root.handlers, root.level) == before
    assert caplog.records == [], "the log of so many runs is nobody's"


def test_a_log_call_that_cannot_be_formatted_ends_no_run() -> None:
    class Slip(Tidy):
        async def stop(self) -> None:
            LOG.warning("%d items", "many")
            try:
                raise KeyError("lost")
            except KeyError:
                LOG.exception("so\nit is")
            await super().stop()

    story = played(Slip, "stop@3")
    assert story.log[0].startswith("0.250 WARNING storm.tests.service: '%d items' (cannot be formatted: ")
    assert story.log[1] == "0.250 ERROR storm.tests.service: so it is [KeyError('lost')]"


# --- documents and files ----------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "schema": int,
    "kind": str,
    "nodeid": str,
    "name": str,
    "points": int,
    "runs": int,
    "seconds": float,
    "seeds": [int],
    "deadline": float,
    "grace": float,
    "deterministic": (bool, type(None)),
    "claim": str,
    "divergence": str,
    "axes": [
        {"axis": str, "planned": int, "ran": int, "failing": int, "worst_drain": float, "strip": str},
    ],
    "causes": [
        {
            **dict.fromkeys(("oracle", "name", "text", "where", "scale", "axis", "token"), str),
            **dict.fromkeys(("count", "point", "seed"), int),
        }
    ],
    "story": {
        "token": str,
        "lanes": [
            {"name": str, "born": str, "events": [{"time": float, "point": int, "mark": str, "text": str}]}
        ],
        "drains": [{"name": str, "seconds": (float, type(None)), "outcome": str}],
        "texts": [str],
        "log": [str],
    },
    "complete": bool,
    "interrupted": bool,
    "replay": str,
    "left_out": dict,
    "not_begun": [str],
    "failing": bool,
    "worst_drain": float,
}


def wrong(value: Any, shape: Any, path: str = "") -> list[str]:
    """Return where a value is not of its shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or set(value) != set(shape):
            return [f"{path}: {sorted(value)} for {sorted(shape)}"]
        return [one for key in shape for one in wrong(value[key], shape[key], f"{path}.{key}")]
    if isinstance(shape, list):
        return [one for n, each in enumerate(value) for one in wrong(each, shape[0], f"{path}[{n}]")]
    return [] if isinstance(value, shape) else [f"{path}: {value!r}"]


def test_a_document_has_its_schema(failing: StormReport, clean: StormReport) -> None:
    values = telling.document(failing, nodeid="t.py::test_it")
    assert wrong(values, WHOLE) == []
    assert (values["schema"], values["kind"], values["failing"]) == (1, "storm", True)
    assert wrong(telling.document(clean) | {"story": values["story"]}, WHOLE) == []
    assert telling.document(clean)["story"] is None


def test_a_document_survives_json(failing: StormReport) -> None:
    values = telling.document(failing)
    assert json.loads(json.dumps(values)) == values
    assert storm_text.lines(json.loads(json.dumps(values))) == storm_text.lines(failing)


def test_a_document_names_the_test_in_its_commands(failing: StormReport) -> None:
    told = storm_text.lines(telling.document(failing, nodeid="t.py::test_it[a b]"), width=300)
    assert any('replay: pytest "t.py::test_it[a b]" ' in line for line in told)


def test_a_file_is_whole_or_as_before(
    failing: StormReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "storm.json"
    telling.write(telling.document(failing), str(path))
    assert json.loads(path.read_text()) == telling.document(failing)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        telling.write_text("half", str(path))
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["storm.json"]
