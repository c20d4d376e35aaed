"""How is the timeline of a failing run drawn?  As SVG: a lane for each task, a column for each moment."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from pytest_taskleak.report.storm_lanes import MARKS, Grid, Row, grid

LEGEND = ", ".join(f"{mark} {what}" for mark, what in MARKS.items()) + (
    "; a column is a moment at which something happened, with virtual seconds from the trigger; "
    "point at a mark to read more"
)
LANE, TOP, EDGE = 24, 26, 12
"""Pixels: the height of a lane, of what is above them, and the margin."""
LETTER = 7.3
"""Pixels: the width of a letter."""
COLUMN = 26
"""Pixels: the least width of a column."""
LONGEST_NAME = 40
BAR = 144
"""Pixels: the width of a bar."""


def timeline(story: Any) -> str:
    """Return the timeline of a run.

    Parameters:
        story: one run, as in a document.
    """
    found = grid(story)
    names = max(len(short(row.name)) for row in found.rows)
    left = EDGE + names * LETTER + EDGE
    places, right = columns(found, left)
    width, height = math.ceil(right + EDGE), TOP + LANE * len(found.rows) + EDGE
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg role="img" {size} xmlns="http://www.w3.org/2000/svg">',
        "<title>Timeline of the first failure</title>",
        *clock(found, places, height),
    ]
    for number, row in enumerate(found.rows):
        parts += lane(row, places, TOP + LANE * number + LANE / 2, right)
    return "\n".join([*parts, "</svg>"])


def bar(whole: float, *parts: tuple[float, str]) -> str:
    """Return a bar whose parts fill so much of the whole.

    Parameters:
        whole: what fills all of it.
        parts: how much, and the class that colours it.
    """
    rectangles, x = "", 0.0
    for part, kind in parts:
        wide = BAR * part / whole if whole else 0.0
        rectangles += f'<rect class="{kind}" x="{x:.4g}" width="{wide:.4g}" height="10"/>'
        x += wide
    return f'<svg class="bar" aria-hidden="true" width="{BAR}" height="10">{rectangles}</svg>'


def columns(found: Grid, left: float) -> tuple[list[float], float]:
    """Return the middle of each column, and the end of the last one."""
    places, edge = [], left
    before = None
    for number, time in enumerate(found.times):
        cells = max(len(row.cells[number]) for row in found.rows)
        label = len(stamp(time)) if time != before else 0
        wide = max(COLUMN, (max(cells, label) + 1) * LETTER)
        places.append(edge + wide / 2)
        edge += wide
        before = time
    return places, edge


def clock(found: Grid, places: list[float], height: int) -> list[str]:
    """Return the times above the lanes, and a line where the storm struck."""
    parts, before = [], None
    storm = found.rows[0]
    for number, time in enumerate(found.times):
        x = places[number]
        if time != before:
            parts.append(
                f'<text class="soft" x="{x:g}" y="{TOP - 10}" text-anchor="middle">{stamp(time)}</text>'
            )
        if "S" in storm.cells[number]:
            parts.append(f'<line class="strike" x1="{x:g}" y1="{TOP}" x2="{x:g}" y2="{height - EDGE}"/>')
        before = time
    return parts


def lane(row: Row, places: list[float], y: float, right: float) -> list[str]:
    """Return one lane: its name, its life, and its marks."""
    born = f"<title>{safe(f'{row.name}, born {row.born}' if row.born else row.name)}</title>"
    parts = [
        f'<line class="rule" x1="{EDGE}" y1="{y + LANE / 2:g}" x2="{right:g}" y2="{y + LANE / 2:g}"/>',
        f'<text x="{EDGE}" y="{y + 4:g}">{safe(short(row.name))}{born}</text>',
    ]
    if row.begin <= row.end and places:
        begin = places[row.begin] - (0 if "o" in row.cells[row.begin] else COLUMN / 2)
        end = places[row.end] + (0 if "x" in row.cells[row.end] else COLUMN / 2)
        parts.append(f'<line class="life" x1="{begin:g}" y1="{y:g}" x2="{end:g}" y2="{y:g}"/>')
    for cell, said, x in zip(row.cells, row.texts, places, strict=True):
        if cell:
            half = len(cell) * LETTER / 2 + 2
            back = f'<rect class="back" x="{x - half:g}" y="{y - 8:g}" width="{2 * half:g}" height="16"/>'
            marks = "".join(f'<tspan class="m{"v" if mark == "!" else mark}">{mark}</tspan>' for mark in cell)
            parts.append(
                f"<g><title>{safe(said)}</title>{back}"
                f'<text class="m" x="{x:g}" y="{y + 4:g}">{marks}</text></g>'
            )
    return parts


def stamp(time: float) -> str:
    """Return a time as it stands above a column."""
    return f"+{time:.4g}"


def short(name: str) -> str:
    """Return a name that fits."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 2] + ".."


def safe(text: str) -> str:
    """Return a text of anybody as XML; what it cannot hold is written as Python would."""
    return escape(
        "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
        )
    )
