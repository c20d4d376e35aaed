"""The layout of shutdown storms in the terminal, to the letter."""

from __future__ import annotations

import re
import textwrap
from dataclasses import asdict, replace
from typing import Any

import pytest

from pytest_taskleak.report import storm_text
from pytest_taskleak.report.storm_words import quoted
from pytest_taskleak.storm.results import AxisResult, Cause, Drain, Event, Lane, StormReport, Story

TIMES = "\u00d7"
AGAIN = "pytest --taskleak-replay=stop@worker-0@Service.work+2~1"
BASELINE = "baseline"
FAULT = "fault,db:3+"
MOMENT = "stop@worker-0@Service.work+2~1"
LEFT = "task 'worker-1' at Service.work:19 -> sleep:649, born app/service.py:12 in Service.start"
LOST = Cause(
    oracle="L",
    name="accepted work lost",
    text="item 3 was accepted and is lost",
    where="ledger",
    scale="violation",
    count=1042,
    axis="stop",
    point=4,
    token=MOMENT,
    seed=0,
)
TASK = replace(
    LOST, oracle="T", name="task left", text=LEFT, where="worker-1:Service.work+2", count=2, point=7
)
STORY = Story(
    token=MOMENT,
    lanes=[
        Lane(
            name="storm",
            born="",
            events=[
                Event(0.0, 4, "S", "stop(), before point 4"),
                Event(2.5, 20, "!", "L accepted work lost: item 3 was accepted and is lost"),
            ],
        ),
        Lane(name="root", born="", events=[Event(0.0, 0, "o", "born"), Event(2.5, 19, "x", "completed")]),
        Lane(
            name="early", born="a.py:1", events=[Event(0.0, 0, "o", "born"), Event(0.0, 1, "x", "completed")]
        ),
        Lane(
            name="worker-0",
            born="app/service.py:12 in Service.start",
            events=[
                Event(0.0, 0, "o", "born"),
                Event(0.0, 2, ".", "Service.work+2"),
                Event(0.0, 5, "c", "CancelledError at Service.work+2"),
                Event(0.0, 5, "x", "cancelled"),
            ],
        ),
        Lane(
            name="worker-1",
            born="app/service.py:12 in Service.start",
            events=[
                Event(0.0, 0, "o", "born"),
                Event(0.0, 6, "c", "CancelledError at Service.work+2"),
                Event(2.5, 18, ".", "Service.work+4"),
                Event(2.5, 20, "!", f"T task left: {LEFT}"),
            ],
        ),
        Lane(name="stop-0", born="", events=[Event(0.0, 4, "o", "born"), Event(2.5, 17, "x", "completed")]),
    ],
    drains=[
        Drain(name="root", seconds=2.5, outcome="completed"),
        Drain(name="worker-0", seconds=0.0, outcome="cancelled"),
        Drain(name="worker-1", seconds=None, outcome="left"),
        Drain(name="stop-0", seconds=2.5, outcome="completed"),
    ],
    texts=["L accepted work lost: item 3 was accepted and is lost", f"T task left: {LEFT}"],
    log=["0.000 INFO app: stopping", "2.500 ERROR app: gave up [TimeoutError()]"],
)


def axis(
    name: str, planned: int, marks: str = "", *, ran: int | None = None, drain: float = 0.004
) -> AxisResult:
    """Return an axis of so many runs with these marks."""
    placed = {place: mark for place, mark in enumerate(marks) if mark != " "}
    bad = sum(mark != "." for mark in placed.values())
    made = planned if ran is None else ran
    return AxisResult(axis=name, planned=planned, ran=made, failing=bad, marks=placed, worst_drain=drain)


def report(**changes: Any) -> StormReport:
    """Return a sweep that has found nothing."""
    values: dict[str, Any] = {
        "name": "Service",
        "points": 267,
        "runs": 1061,
        "seconds": 1.04,
        "deterministic": True,
        "axes": [axis("stop", 267), axis("cancel", 267, drain=0.001), axis("kill", 525)],
    }
    return StormReport(**values | changes)


def failing(**changes: Any) -> StormReport:
    """Return a sweep that has found something."""
    axes = [axis("stop", 130, "...LLLLT" + "." * 122, drain=2.5), axis("cancel", 130, "." * 130)]
    return report(
        **{"points": 130, "runs": 262, "axes": axes, "causes": [LOST, TASK], "story": STORY} | changes
    )


def block(text: str) -> list[str]:
    """Return a block as it is printed."""
    return textwrap.dedent(text).strip("\n").replace("{TIMES}", TIMES).splitlines()


# --- a storm that finds nothing ---------------------------------------------------------------------------

CLEAN = (
    "shutdown storm Service: 1,061 runs in 1.0 s, 267 points: stop 267/267, cancel 267/267, kill 525/525; "
    "deterministic; worst drain 0.004 s"
)


def test_a_storm_that_finds_nothing_is_one_line() -> None:
    assert storm_text.lines(report()) == [CLEAN]
    assert storm_text.lines(report(), width=40, ascii=True, verbosity=2) == [CLEAN]


def test_more_seeds_and_no_self_check_are_said() -> None:
    [line] = storm_text.lines(report(seeds=(0, 1, 2), deterministic=None, seconds=0.084))
    assert line.startswith(
        "shutdown storm Service: 1,061 runs in 0.08 s, 267 points, 3 seeds: stop 267/267, "
    )
    assert line.endswith("; determinism not checked; worst drain 0.004 s")


def test_a_spent_budget_is_no_clean_bill() -> None:
    short = report(complete=False, axes=[axis("stop", 267, ran=120)])
    assert storm_text.lines(short)[1:] == [
        "  note  the budget is spent: swept 120 of 267 points (spread), nothing is said of the rest"
    ]
    begun = [axis("stop", 267, ran=267), axis("cancel", 267, ran=3), axis("kill", 525, ran=0)]
    head, note = storm_text.lines(report(complete=False, axes=begun), width=200)
    assert "cancel 3/267, kill 0/525" in head
    assert note.endswith("swept 270 of 1,059 points of all axes (spread), nothing is said of the rest")


def test_a_storm_that_is_stopped_by_hand_says_so() -> None:
    note = storm_text.lines(report(complete=False, interrupted=True, axes=[axis("stop", 267, ran=9)]))[1]
    assert note.startswith("  note  stopped by hand: swept 9 of 267 points")


def test_a_storm_that_is_not_complete_never_reads_as_if_it_were() -> None:
    assert "nothing is said of the rest" in storm_text.lines(report(complete=False))[1]


def test_code_that_is_not_deterministic_is_told_with_where_it_parts() -> None:
    head, *note = storm_text.lines(
        report(deterministic=False, divergence="at point 12: a@f+1 in one run, b@g+1 in the other")
    )
    assert "; NOT deterministic; " in head
    assert note == [
        "  note  not deterministic: two runs of the same differ, at point 12: a@f+1 in one run, b@g+1 in the",
        "        other; this sweep is a best effort: a failure need not come again, and a moment that went",
        "        well may fail the next time",
    ]


def test_what_fails_no_test_is_told_below_the_line() -> None:
    advisory = replace(LOST, oracle="H", name="thread left", scale="advisory", text="f() still runs", count=3)
    head, line = storm_text.lines(report(causes=[advisory], story=STORY), width=160)
    assert head == CLEAN
    assert line == f"advisory  H thread left {TIMES}3  stop@4: f() still runs  replay: {AGAIN}"


# --- a storm that fails -----------------------------------------------------------------------------------


def test_a_failing_storm() -> None:
    assert storm_text.lines(failing(), replay="pytest tests/test_service.py::test_stop") == block(
        """
        shutdown storm Service: 2 causes, 5 of 262 runs failing, 130 points, in 1.0 s; deterministic; worst drain 2.500 s
          stop    130/130  5 failing  worst drain 2.500 s
          cancel  130/130  0 failing  worst drain 0.004 s
        FAIL  L accepted work lost {TIMES}1,042  stop@4: item 3 was accepted and is lost
              replay: pytest tests/test_service.py::test_stop --taskleak-replay=stop@worker-0@Service.work+2~1
        FAIL  T task left {TIMES}2  stop@7: task 'worker-1' at Service.work:19 -> sleep:649, born
              app/service.py:12 in Service.start
              replay: pytest tests/test_service.py::test_stop --taskleak-replay=stop@worker-0@Service.work+2~1

        coverage, a character a point: . all well, else the first check that fails
          stop    0  ...LLLLT........................................................................
                 80  ..................................................
          L accepted work lost, T task left

        first failure: stop@worker-0@Service.work+2~1
          L accepted work lost: item 3 was accepted and is lost
          T task left: task 'worker-1' at Service.work:19 -> sleep:649, born app/service.py:12 in
            Service.start
          timeline: o born, S signal or stop, c cancel delivered, x end, ! violation; virtual seconds from
            the trigger
                    +0      +2.5
          storm     S              !
          root      ─────────────x
          worker-0  ───cx
          worker-1  ──────c────────!
          stop-0    o───────x
          (1 task had ended before)
          drain (deadline 10 s, grace 0 s)
            root      2.500 s  completed
            worker-0  0.000 s  cancelled
            worker-1        -  left
            stop-0    2.500 s  completed
          log
            0.000 INFO app: stopping
            2.500 ERROR app: gave up [TimeoutError()]
        """
    )


def test_in_plain_characters() -> None:
    told = storm_text.lines(failing(), ascii=True)
    assert all(line.isascii() for line in told)
    assert "FAIL  L accepted work lost x1,042  stop@4: item 3 was accepted and is lost" in told
    assert "  worker-1  ------c--------!" in told


def test_a_wide_terminal_has_a_hundred_points_a_line_and_causes_on_one() -> None:
    told = storm_text.lines(failing(), width=160)
    assert "  stop    0  ...LLLLT" + "." * 92 in told
    assert "        100  " + "." * 30 in told
    assert (
        f"FAIL  L accepted work lost {TIMES}1,042  stop@4: item 3 was accepted and is lost  replay: {AGAIN}"
    ) in told


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_words_and_commands_are_never_broken(width: int) -> None:
    told = storm_text.lines(failing(), width=width)
    assert sum("--taskleak-replay=stop@worker-0@Service.work+2~1" in line for line in told) == 2
    assert any("app/service.py:12" in line for line in told)
    strips = [line for line in told if re.fullmatch(r" +(stop)? +\d+  [.LT]+", line)]
    assert "".join(line.split()[-1] for line in strips) == "...LLLLT" + "." * 122
    assert all(len(line) <= max(width, 44) for line in strips)


def test_what_is_wrong_without_any_trigger_comes_alone() -> None:
    cause = replace(LOST, axis=BASELINE, point=-1, token=BASELINE)
    told = storm_text.lines(failing(axes=[], causes=[cause], story=None))
    assert told == [
        "shutdown storm Service: 1 cause without any trigger, so that nothing was swept; deterministic",
        f"FAIL  L accepted work lost {TIMES}1,042  without any trigger: item 3 was accepted and is lost",
        "      replay: pytest --taskleak-replay=baseline",
    ]


def test_a_failing_storm_that_was_cut_says_both() -> None:
    axes = [axis("stop", 267, "L  .", ran=2), axis("cancel", 267, ran=0)]
    told = storm_text.lines(failing(axes=axes, complete=False, interrupted=True))
    assert told[1].startswith("  note  stopped by hand: swept 2 of 534 points of all axes (spread)")
    assert told[2:4] == [
        "  stop    2/267  1 failing  worst drain 0.004 s",
        "  cancel  0/267             not begun",
    ]
    assert "  stop  0  L  ." in told


def test_a_moment_without_a_point_and_another_seed() -> None:
    fault = replace(LOST, axis="fault", point=-1, token=FAULT)
    other = replace(LOST, seed=5)
    told = "\n".join(storm_text.lines(failing(causes=[fault, other])))
    assert f"{TIMES}1,042  fault,db:3+: item 3" in told
    assert f"{TIMES}1,042  stop@4 (seed 5): item 3" in told


def test_much_is_cut_and_v_shows_all() -> None:
    many = [replace(LOST, text=f"cause {number}") for number in range(14)]
    lanes = [*STORY.lanes, *(Lane(name=f"idle-{number}", born="") for number in range(30))]
    drains = [
        Drain(name=f"idle-{number}", seconds=number / 1000, outcome="cancelled") for number in range(30)
    ]
    story = Story(token=MOMENT, lanes=lanes, drains=drains, texts=["a"] * 9, log=["line"] * 40)
    short = storm_text.lines(failing(causes=many, story=story))
    assert "... and 4 causes more; -v shows all" in short
    assert "  ... and 4 more" in short
    assert "  ... and 15 more tasks; -v shows all" in short
    assert "    ... and 18 more, none of them slower; -v shows all" in short
    assert "    idle-29  0.029 s  cancelled" in short
    assert "    idle-1   0.001 s  cancelled" not in short
    assert "  log, the last 10 of 40 lines; -v shows all" in short
    whole = storm_text.lines(failing(causes=many, story=story), verbosity=1)
    assert not [line for line in whole if "-v shows all" in line]
    assert sum("cause 13" in line for line in whole) == 1


def test_the_lanes_with_violations_are_never_cut() -> None:
    lanes = [STORY.lanes[0], *(Lane(name=f"idle-{n}", born="") for n in range(30)), STORY.lanes[4]]
    told = storm_text.lines(failing(story=Story(token=MOMENT, lanes=lanes)))
    assert any(re.match(r"  worker-1 +.*!$", line) for line in told)


def test_a_long_timeline_loses_its_middle() -> None:
    events = [Event(number / 100, number, "c", "again") for number in range(90)]
    lanes = [
        Lane(name="storm", born="", events=[Event(0.0, 0, "S", "stop()")]),
        Lane(name="stubborn", born="", events=[*events, Event(0.9, 90, "x", "cancelled")]),
    ]
    told = storm_text.lines(failing(story=Story(token=MOMENT, lanes=lanes)), width=80)
    lane = next(line for line in told if line.startswith("  stubborn"))
    assert len(lane) <= 80
    assert lane.endswith("c\u2500\u2500\u2500\u2500\u2500x")
    cut = next(line for line in told if "stands for" in line)
    left_out = int(cut.split()[-2])
    assert cut == f"  (\u2248 stands for {left_out} moments)"
    assert lane.count("c") + left_out == 90


# --- one moment -------------------------------------------------------------------------------------------


def test_a_replay_tells_the_moment_and_no_sweep() -> None:
    told = storm_text.lines(failing(replay="stop@4", axes=[axis("stop", 1, drain=2.5)]))
    assert told[0] == "shutdown storm Service, one moment: 2 causes; deterministic; worst drain 2.500 s"
    assert told[2:4] == [
        "the moment: stop@worker-0@Service.work+2~1",
        "  L accepted work lost: item 3 was accepted and is lost",
    ]
    assert not [line for line in told if "coverage" in line or "replay:" in line]


def test_a_replay_that_finds_nothing_is_told_in_full_too() -> None:
    well = replace(STORY, texts=[])
    told = storm_text.lines(report(replay="stop@4", axes=[axis("stop", 1)], story=well))
    assert told[3] == "  nothing was wrong with it"
    assert told[0] == "shutdown storm Service, one moment: all well; deterministic; worst drain 0.004 s"
    assert "  worker-0  \u2500\u2500\u2500cx" in told


def test_a_failure_that_does_not_come_again_is_told() -> None:
    told = storm_text.lines(failing(story=replace(STORY, texts=[]), deterministic=False))
    assert "  nothing was wrong with it this time" in told


def test_a_moment_that_does_not_come_is_not_called_well() -> None:
    told = storm_text.lines(report(replay="stop@999", complete=False, axes=[axis("stop", 1)]))
    assert told == [
        "shutdown storm Service, one moment: nothing is known; deterministic; worst drain 0.004 s",
        "  note  the moment that the token names did not come, so that nothing is said of it",
    ]


# --- whatever the code under test says --------------------------------------------------------------------

EVIL = "a\x1b[31m\u202e\ud800 \u00e9"


@pytest.mark.parametrize("ascii", [False, True])
def test_no_text_of_the_user_moves_the_cursor(ascii: bool) -> None:  # noqa: A002 -- as the layout calls it
    cause = replace(LOST, text=EVIL, token=EVIL)
    story = Story(token=EVIL, lanes=[Lane(name=EVIL, born=EVIL)], texts=[EVIL], log=[EVIL])
    for line in storm_text.lines(failing(name=EVIL, causes=[cause], story=story), ascii=ascii):
        assert line.isprintable()
        assert line.isascii() or not ascii
        line.encode()


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("stop@worker-0@Service.work+2~1", "stop@worker-0@Service.work+2~1"),
        ("stop@a@f.<locals>.g+2~0", '"stop@a@f.<locals>.g+2~0"'),
        ("test_it.py::test_a[x y]", '"test_it.py::test_a[x y]"'),
        ('a"$b', "'a\"$b'"),
    ],
)
def test_commands_can_be_pasted_into_a_shell(word: str, shown: str) -> None:
    assert quoted(word) == shown


def test_a_report_and_its_values_read_the_same() -> None:
    values = asdict(failing())
    for each in values["axes"]:
        marks = each.pop("marks")
        each["strip"] = "".join(marks.get(place, " ") for place in range(max(marks, default=-1) + 1))
    assert storm_text.lines(values) == storm_text.lines(failing())
