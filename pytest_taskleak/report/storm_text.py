"""How does a shutdown storm read in the terminal?  Pure layout: a report in, lines out.

A storm that found nothing is one line.  Else: headline, axes, causes, the strips of the axes that fail, and
the first failure with its timeline and the table of ends.  What a preset leaves out is told in any case.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pytest_taskleak.report import storm_words as words
from pytest_taskleak.report.storm_lanes import MARKS, Grid, Row, grid
from pytest_taskleak.report.storm_words import Values

FOLD = 100
"""Points in one line of a strip, where the terminal is wide enough."""
MOST_CAUSES, MOST_TEXTS, MOST_LANES, MOST_DRAINS, MOST_LOG = 10, 5, 20, 12, 10
"""What is told of each without `-v`."""
LONGEST_NAME = 28
PENCIL = {False: ("\u2500", "\u2248"), True: ("-", "~")}
"""The line of a lane, and what stands for moments that are left out."""
TIMES = {False: "\u00d7", True: "x"}


def lines(
    report: Any,
    width: int = 100,
    ascii: bool = False,  # noqa: A002, FBT002 -- what a terminal may ask for
    *,
    replay: str = "",
    verbosity: int = 0,
) -> list[str]:
    """Return what is printed of a storm.

    Parameters:
        report: of a sweep, or the document of it.
        width: columns of the terminal.
        ascii: write with characters that each terminal has.
        replay: what the command to replay a failure begins with, as `pytest tests/test_it.py`; by default
            `pytest`, and the test where the document knows it.
        verbosity: from 1 on nothing is cut.
    """
    values = words.values_of(report)
    rows = [words.headline(values)]
    for note in words.notes(values):
        rows += hanging("  note  ", note, width)
    bad = words.failing(values)
    alone = bool(values.get("replay"))
    if bad and words.swept(values) and not alone:
        rows += axes(values)
    if not alone:  # else its story tells them
        rows += causes(values, width, replay=replay, ascii=ascii, verbosity=verbosity)
    if bad and not alone:
        rows += strips(values, width)
    if values.get("story") and (bad or alone):
        rows += ["", f"{words.story_title(values)}: {values['story']['token']}"]
        if not values["story"]["texts"]:
            rows.append("  nothing was wrong with it" + ("" if alone else " this time"))
        rows += story_lines(values["story"], width, ascii=ascii, verbosity=verbosity, limits=values)
    rest = words.left_out(values, whole=verbosity > 0)
    if rest and verbosity >= 0:
        rows += hanging("left out: ", "; ".join(f"{names} ({why})" for names, why in rest), width, indent=4)
    return [printable(row.rstrip(), ascii=ascii) for row in rows]


def axes(values: Values) -> list[str]:
    """Return a line for each axis: how much of it was swept, how much fails, and the slowest stop."""
    cells = []
    for axis in values["axes"]:
        done = f"{axis['ran']:,}/{axis['planned']:,}"
        worst = f"worst drain {words.virtual(axis['worst_drain'])}" if axis["ran"] else "not begun"
        cells.append((axis["axis"], done, f"{axis['failing']:,} failing" if axis["ran"] else "", worst))
    wide = [max(len(cell[place]) for cell in cells) for place in range(3)]
    return [
        f"  {name:<{wide[0]}}  {done:>{wide[1]}}  {fails:>{wide[2]}}  {worst}"
        for name, done, fails, worst in cells
    ]


def causes(values: Values, width: int, *, replay: str, ascii: bool, verbosity: int) -> Iterator[str]:  # noqa: A002
    """Yield each cause: letter, name, count, where it comes first, what it is, and how to see it again."""
    every = values["causes"]
    shown = every if verbosity > 0 else every[:MOST_CAUSES]
    for cause in shown:
        lead = f"{words.badge(cause)}  {cause['oracle']} {cause['name']} {TIMES[ascii]}{cause['count']:,}"
        text = f"{words.first(cause)}: {cause['text']}"
        again = words.command(cause["token"], nodeid=values.get("nodeid", ""), lead=replay)
        whole = f"{lead}  {text}  replay: {again}"
        if len(whole) <= width:
            yield whole
        else:
            yield from hanging(f"{lead}  ", text, width, indent=6)
            yield f"      replay: {again}"
    if len(every) > len(shown):
        yield f"... and {words.number(len(every) - len(shown), 'cause')} more; -v shows all"


def strips(values: Values, width: int) -> list[str]:
    """Return the strips of the axes that fail: a character for each point."""
    failing = [axis for axis in values["axes"] if axis["failing"]]
    if not failing:
        return []
    name = max(len(axis["axis"]) for axis in failing)
    digits = len(str(max(len(axis["strip"]) for axis in failing)))
    fold = max(10, min(FOLD, (width - name - digits - 6) // 10 * 10))
    rows = ["", "coverage, a character a point: . all well, else the first check that fails"]
    for axis in failing:
        for start in range(0, len(axis["strip"]), fold):
            label = axis["axis"] if not start else ""
            rows.append(f"  {label:<{name}}  {start:>{digits}}  {axis['strip'][start : start + fold]}")
    rows += hanging("  ", ", ".join(f"{letter} {what}" for letter, what in words.legend(values)), width)
    return rows


def story_lines(
    story: Values,
    width: int = 100,
    *,
    ascii: bool = False,  # noqa: A002 -- see `lines`
    verbosity: int = 0,
    limits: Values | None = None,
) -> list[str]:
    """Return one run in full: what is wrong, the timeline, how each task ended, and what was logged.

    Parameters:
        story: the run, as in a document.
        width: columns of the terminal.
        ascii: see `lines`.
        verbosity: from 1 on nothing is cut.
        limits: what knows `deadline` and `grace`, in virtual seconds.
    """
    rows: list[str] = []
    texts = story["texts"]
    shown = texts if verbosity > 0 else texts[:MOST_TEXTS]
    for text in shown:
        rows += hanging("  ", text, width, indent=4)
    if len(texts) > len(shown):
        rows.append(f"  ... and {len(texts) - len(shown)} more")
    if story["lanes"]:
        rows += timeline(grid(story), width, ascii=ascii, verbosity=verbosity)
    if story["drains"]:
        rows += drains(story["drains"], limits, verbosity)
    if story["log"]:
        rows += log(story["log"], verbosity)
    return [printable(row.rstrip(), ascii=ascii) for row in rows]


# --- the timeline -----------------------------------------------------------------------------------------


def timeline(found: Grid, width: int, *, ascii: bool, verbosity: int) -> list[str]:  # noqa: A002 -- see `lines`
    """Return the lanes of a run, one line each."""
    rows = list(found.rows)
    if verbosity <= 0 and len(rows) > MOST_LANES:
        kept = sorted(
            range(len(rows)), key=lambda place: (place and "!" not in "".join(rows[place].cells), place)
        )
        rows = [rows[place] for place in sorted(kept[:MOST_LANES])]
    name = min(LONGEST_NAME, max(len(row.name) for row in rows))
    wide = widths(found, rows)
    columns, cut = fitting(wide, width - name - 4)
    marks = ", ".join(f"{mark} {what}" for mark, what in MARKS.items())
    lines = hanging("  timeline: ", f"{marks}; virtual seconds from the trigger", width, indent=4)
    lines.append(clock(found, columns, wide, name))
    lines += [lane(row, columns, wide, name, PENCIL[ascii]) for row in rows]
    if cut:
        lines.append(f"  ({PENCIL[ascii][1]} stands for {words.number(cut, 'moment')})")
    if found.over:
        lines.append(f"  ({words.number(found.over, 'task')} had ended before)")
    if len(found.rows) > len(rows):
        lines.append(f"  ... and {len(found.rows) - len(rows)} more tasks; -v shows all")
    return lines


def widths(found: Grid, rows: Sequence[Row]) -> list[int]:
    """Return how wide each column is: as its marks, or its time where that is another one than before."""
    wide = []
    for place, time in enumerate(found.times):
        label = "" if place and time == found.times[place - 1] else stamp(time)
        wide.append(max(len(label), *(len(row.cells[place]) for row in rows), 1))
    return wide


def stamp(time: float) -> str:
    """Return a time as it stands above a column."""
    return f"+{time:.4g}"


def fitting(wide: list[int], room: int) -> tuple[list[int], int]:
    """Return the columns that fit, -1 for those that are left out in the middle, and how many those are."""
    every = list(range(len(wide)))
    if sum(wide) + len(wide) <= room:
        return every, 0
    back = taken(reversed(every), wide, room // 3)  # the end shows what is left
    head = taken(every, wide, room - 2 - sum(wide[column] + 1 for column in back))
    return [*head, -1, *reversed(back)], len(every) - len(head) - len(back)


def taken(columns: Iterable[int], wide: list[int], room: int) -> list[int]:
    """Return the first columns, one at least, that fit."""
    found: list[int] = []
    for column in columns:
        room -= wide[column] + 1
        if room < 0 and found:
            break
        found.append(column)
    return found


def clock(found: Grid, columns: list[int], wide: list[int], name: int) -> str:
    """Return the line with the times, where there is room for them."""
    line, told = " " * (name + 4), ""
    place = len(line)
    for column in columns:
        label = stamp(found.times[column]) if column >= 0 else ""
        if label and label != told and (len(line) < place or not told):
            line, told = line.ljust(place) + label, label
        place += (wide[column] if column >= 0 else 1) + 1
    return line


def lane(row: Row, columns: list[int], wide: list[int], name: int, pencil: tuple[str, str]) -> str:
    """Return one lane."""
    label = row.name if len(row.name) <= name else row.name[: name - 2] + ".."
    line = f"  {label:<{name}}  "
    last = -1
    for column in columns:
        if column < 0:
            line += (pencil[1] if row.begin <= last < row.end else " ") * 2
            continue
        last = column
        lives = row.begin <= column <= row.end
        cell = row.cells[column] or (pencil[0] if lives else " ")
        line += cell + (pencil[0] if lives and column < row.end else " ") * (wide[column] + 1 - len(cell))
    return line


# --- tables -----------------------------------------------------------------------------------------------


def drains(every: list[Values], limits: Values | None, verbosity: int) -> list[str]:
    """Return the table of ends: each task, when it ended after the trigger, and how."""
    shown = list(every)
    if verbosity <= 0 and len(shown) > MOST_DRAINS:
        slow = sorted(shown, key=lambda drain: -(drain["seconds"] if drain["seconds"] is not None else 1e9))
        keep = {id(drain) for drain in slow[:MOST_DRAINS]}
        shown = [drain for drain in shown if id(drain) in keep]
    name = max(len(drain["name"]) for drain in shown)
    time = max(len(words.virtual(drain["seconds"])) for drain in shown)
    told = f" (deadline {limits['deadline']:g} s, grace {limits['grace']:g} s)" if limits else ""
    rows = [f"  drain{told}"]
    rows += [
        f"    {drain['name']:<{name}}  {words.virtual(drain['seconds']):>{time}}  {drain['outcome']}"
        for drain in shown
    ]
    if len(every) > len(shown):
        rows.append(f"    ... and {len(every) - len(shown)} more, none of them slower; -v shows all")
    return rows


def log(every: list[str], verbosity: int) -> list[str]:
    """Return what was logged, the last of it."""
    shown = every if verbosity > 0 else every[-MOST_LOG:]
    more = f", the last {len(shown)} of {len(every)} lines; -v shows all" if len(every) > len(shown) else ""
    return [f"  log{more}", *(f"    {line}" for line in shown)]


# --- words ------------------------------------------------------------------------------------------------


def hanging(lead: str, text: str, width: int, indent: int | None = None) -> list[str]:
    """Return a text in as many lines as it takes; no word is broken, so that paths can be clicked on."""
    return textwrap.wrap(
        text,
        max(40, width),
        initial_indent=lead,
        subsequent_indent=" " * (len(lead) if indent is None else indent),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead]


def printable(line: str, *, ascii: bool) -> str:  # noqa: A002 -- see `lines`
    """Return a line without characters that a terminal acts on, or does not have."""
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in line
    )
    return shown.encode("ascii", "backslashreplace").decode() if ascii else shown
