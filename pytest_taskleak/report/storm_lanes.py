"""Which moments of a failing run does its timeline show, and what stands in each lane?

Much happens at one virtual time, and nothing in most of the time; so a column is a moment at which something
happened, and not a stretch of time.  What was over when the trigger came is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MARKS = {
    "o": "born",
    "S": "signal or stop",
    "c": "cancel delivered",
    "x": "end",
    "!": "violation",
}
"""Mark -> what it stands for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One lane.

    Parameters:
        name: the task's name.
        born: where it was made.
        cells: the marks of each column.
        texts: what they mean.
        begin: the first column in which it lives.
        end: the last one; before `begin` for the lane of the storm itself, which does not live.
    """

    name: str
    born: str
    cells: tuple[str, ...]
    texts: tuple[str, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A timeline.

    Parameters:
        times: virtual seconds of each column since the trigger.
        points: the callback of each column.
        rows: the lanes.
        over: how many tasks had ended before the trigger.
    """

    times: tuple[float, ...]
    points: tuple[int, ...]
    rows: tuple[Row, ...]
    over: int


def grid(story: Any) -> Grid:
    """Return the timeline of a run.

    Parameters:
        story: one run, as in a document.
    """
    lanes = story["lanes"]
    events = [event for lane in lanes for event in lane["events"]]
    strikes = [event for event in events if event["mark"] == "S"]
    start = min((event["point"] for event in strikes), default=0)
    zero = min((event["time"] for event in strikes), default=0.0)
    times: dict[int, float] = {}
    for event in events:
        if event["mark"] in MARKS and event["point"] >= start:
            times.setdefault(event["point"], event["time"])
    points = sorted(times)
    column = {point: number for number, point in enumerate(points)}
    shown = [lane for lane in lanes if lane is lanes[0] or not ended_before(lane, start)]
    return Grid(
        times=tuple(round(times[point] - zero, 9) for point in points),
        points=tuple(points),
        rows=tuple(row(lane, column, living=lane is not lanes[0]) for lane in shown),
        over=len(lanes) - len(shown),
    )


def ended_before(lane: Any, start: int) -> bool:
    """Tell whether a task had ended before a point."""
    return any(event["mark"] == "x" and event["point"] < start for event in lane["events"])


def row(lane: Any, column: dict[int, int], *, living: bool) -> Row:
    """Return one lane.

    Parameters:
        lane: as in a document.
        column: point -> column.
        living: whether it is that of a task.
    """
    marks: list[dict[str, None]] = [{} for _ in column]
    texts: list[list[str]] = [[] for _ in column]
    begin, end = 0, len(column) - 1 if living else -1
    for event in lane["events"]:
        place = column.get(event["point"])
        if place is None or event["mark"] not in MARKS:
            continue
        marks[place][event["mark"]] = None
        texts[place].append(event["text"])
        if event["mark"] == "o":
            begin = place
        elif event["mark"] == "x":
            end = place
    return Row(
        name=lane["name"],
        born=lane["born"],
        cells=tuple("".join(cell) for cell in marks),
        texts=tuple("; ".join(dict.fromkeys(said)) for said in texts),
        begin=begin,
        end=end,
    )
