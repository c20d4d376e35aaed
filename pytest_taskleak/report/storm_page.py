"""How does a shutdown storm read in a browser?  One page that needs no other file, and no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Any

from pytest_taskleak.report import storm_drawing
from pytest_taskleak.report import storm_words as words
from pytest_taskleak.report.storm_words import NOT_RUN, WELL, Values

FOLD = 100
"""Points in one line of a strip."""
NONE = '<p class="soft">No storm was made.</p>'
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""What a browser may do for this page: nothing that is not in it."""


def page(*documents: Any, nodeid: str = "") -> str:
    """Return a page of HTML.

    Parameters:
        documents: those of the sweeps that it tells of; a report is taken as well.
        nodeid: of the test, for documents that do not say it.
    """
    every = [words.values_of(document) for document in documents]
    names = ", ".join(dict.fromkeys(values["name"] for values in every)) or "none"
    body = "\n".join(line for values in every for line in section(values, nodeid)) or NONE
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Shutdown storm: {text(names)}</title>\n"
        f"<style>\n{asset('storm.css')}</style>\n</head>\n<body>\n{body}\n"
        f"<script>\n{asset('storm.js')}</script>\n</body>\n</html>\n"
    )


def section(values: Values, nodeid: str) -> Iterator[str]:
    """Yield what is told of one sweep."""
    nodeid = values.get("nodeid", "") or nodeid
    yield '<section class="storm">'
    yield from head(values, nodeid)
    if values["axes"]:
        yield from axes(values)
    yield from causes(values["causes"], nodeid)
    if words.swept(values):
        yield from strips(values)
    story = values.get("story")
    if story:
        yield from run(story, values)
    yield from left_out(values)
    yield "</section>"


# --- its parts --------------------------------------------------------------------------------------------


def head(values: Values, nodeid: str) -> Iterator[str]:
    """Yield the name, the verdict, the numbers, and what must be known of them."""
    bad, whole = words.failing(values), values["complete"] and values["deterministic"] is not False
    kind, verdict = (
        ("bad", "failing") if bad else ("well", "all well") if whole else ("warn", "well as far as it goes")
    )
    yield f'<div class="head"><h1>Shutdown storm: {text(values["name"])}</h1>'
    yield f'<span class="badge {kind}">{verdict}</span></div>'
    if nodeid:
        yield f'<p class="soft"><code>{text(nodeid)}</code></p>'
    known = {True: "yes", False: "no", None: "not checked"}[values["deterministic"]]
    facts = {
        "moments swept": f"{words.swept(values):,} of {words.planned(values):,}",
        "points": f"{values['points']:,}",
        "runs": f"{values['runs']:,} in {words.real(values['seconds'])}",
        "seeds": ", ".join(map(str, values["seeds"])),
        "deterministic": known,
        "worst drain (virtual)": words.virtual(words.worst_drain(values) if words.swept(values) else None),
        "deadline, grace (virtual)": f"{values['deadline']:g} s, {values['grace']:g} s",
    }
    items = "".join(
        f'<li><b>{text(value)}</b> <span class="soft">{name}</span></li>' for name, value in facts.items()
    )
    yield f'<ul class="facts">{items}</ul>'
    yield from (f'<p class="note">{text(note[:1].upper() + note[1:])}.</p>' for note in words.notes(values))


def axes(values: Values) -> Iterator[str]:
    """Yield the table of the axes."""
    yield '<h2>Axes</h2>\n<div class="scroll"><table>'
    yield row("th", "axis", ("swept", "right"), "", ("failing", "right"), ("worst drain", "right"))
    for axis in values["axes"]:
        ran, planned, failing = axis["ran"], axis["planned"], axis["failing"]
        kind = "right bad" if failing else "right well" if ran else "right soft"
        yield (
            f"<tr><td><code>{text(axis['axis'])}</code></td>"
            f'<td class="right">{ran:,} of {planned:,}</td>'
            f"<td>{storm_drawing.bar(planned, (failing, 'bad'), (ran - failing, 'well'))}</td>"
            f'<td class="{kind}">{f"{failing:,}" if ran else "not begun"}</td>'
            f'<td class="right">{words.virtual(axis["worst_drain"] if ran else None)}</td></tr>'
        )
    yield "</table></div>"


def causes(every: Iterable[Values], nodeid: str) -> Iterator[str]:
    """Yield each cause, with what to type to see its first failure again."""
    found = list(every)
    yield "<h2>Causes</h2>"
    if not found:
        yield '<p class="well">None: nothing was found.</p>'
    for cause in found:
        kind = "bad" if cause["scale"] == words.BAD else "warn"
        title = f"{words.badge(cause)}: {cause['oracle']} {cause['name']}"
        yield (
            f'<div class="cause"><p><span class="mark {kind}">{text(title)}</span> '
            f"&nbsp;{words.number(cause['count'], 'run')}, first "
            f"<code>{text(words.first(cause))}</code></p><p>{text(cause['text'])}</p>"
            f"{to_copy(words.command(cause['token'], nodeid=nodeid))}</div>"
        )


def strips(values: Values) -> Iterator[str]:
    """Yield the strips of all axes: a character for each point."""
    names = dict(words.legend(values))
    yield "<h2>Coverage</h2>"
    legend = [f'<span class="mark well">{WELL}</span> all well']
    legend += [f'<span class="mark bad">{text(letter)}</span> {text(name)}' for letter, name in names.items()]
    yield f"<p>A character for each point; a blank has no run. {', &nbsp;'.join(legend)}</p>"
    for axis in values["axes"]:
        strip = axis["strip"]
        if not strip:
            continue
        digits = len(str(len(strip)))
        lines = [
            f'<span class="soft">{start:>{digits}}</span>  {cells(strip, start, axis["axis"], names)}'
            for start in range(0, len(strip), FOLD)
        ]
        yield f"<h3><code>{text(axis['axis'])}</code></h3>"
        yield '<div class="scroll"><div class="strip">' + "\n".join(lines) + "</div></div>"


def cells(strip: str, start: int, axis: str, names: dict[str, str]) -> str:
    """Return one line of a strip; what fails is told when it is pointed at."""
    parts, place = [], start
    for mark, group in groupby(strip[start : start + FOLD]):
        count = len(list(group))
        letters = text(mark * count)
        if mark in (NOT_RUN, WELL):
            parts.append(letters if mark == NOT_RUN else f'<span class="well">{letters}</span>')
        else:
            span = f"{axis}@{place}" + (f" to {place + count - 1}" if count > 1 else "")
            parts.append(
                f'<span class="bad" title="{text(span)}: {text(names.get(mark, mark))}">{letters}</span>'
            )
        place += count
    return "".join(parts)


def run(story: Values, values: Values) -> Iterator[str]:
    """Yield the first failure, or whatever else was run alone, in full."""
    title = words.story_title(values).capitalize() if words.failing(values) else "The moment"
    yield f"<h2>{title}: <code>{text(story['token'])}</code></h2>"
    if story["texts"]:
        yield "<ul>" + "".join(f"<li>{text(said)}</li>" for said in story["texts"]) + "</ul>"
    if story["lanes"]:
        yield "<h3>Timeline</h3>"
        yield f'<p class="soft">{text(storm_drawing.LEGEND)}</p>'
        yield f'<div class="scroll">{storm_drawing.timeline(story)}</div>'
    if story["drains"]:
        yield from drains(story["drains"], values)
    if story["log"]:
        yield f"<h3>Log</h3>\n<pre>{text(chr(10).join(story['log']))}</pre>"


def drains(every: Iterable[Values], values: Values) -> Iterator[str]:
    """Yield the table of ends, against the deadline."""
    deadline = values["deadline"]
    yield f"<h3>Drain <span class='soft'>(deadline {deadline:g} s, grace {values['grace']:g} s)</span></h3>"
    yield '<div class="scroll"><table>'
    yield row("th", "task", ("from the trigger to its end", "right"), "of the deadline", "outcome")
    for drain in every:
        seconds, outcome = drain["seconds"], drain["outcome"]
        bar = "" if seconds is None else storm_drawing.bar(deadline, (min(seconds, deadline), "signal"))
        kind = {"left": "bad", "error": "warn"}.get(outcome, "")
        yield (
            f"<tr><td><code>{text(drain['name'])}</code></td>"
            f'<td class="right">{words.virtual(seconds)}</td><td>{bar}</td>'
            f'<td class="{kind}">{text(outcome)}</td></tr>'
        )
    yield "</table></div>"


def left_out(values: Values) -> Iterator[str]:
    """Yield the scenarios that were not tried."""
    found = words.left_out(values, whole=True)
    if found:
        yield "<h2>Left out</h2>"
        items = "".join(f"<li>{text(names)}: {text(why)}</li>" for names, why in found)
        yield f'<ul class="soft">{items}</ul>'


# --- HTML -------------------------------------------------------------------------------------------------


def row(tag: str, *every: str | tuple[str, str]) -> str:
    """Return one row of a table; a cell may have a class."""
    found = [(cell, "") if isinstance(cell, str) else cell for cell in every]
    return (
        "<tr>"
        + "".join(f"<{tag}{f' class={kind}' if kind else ''}>{text(cell)}</{tag}>" for cell, kind in found)
        + "</tr>"
    )


def to_copy(command: str) -> str:
    """Return a command with a button that copies it, where the browser has scripts."""
    return f'<div class="copy"><code>{text(command)}</code><button type="button" hidden>copy</button></div>'


def text(value: object) -> str:
    """Return a text of anybody as HTML; what a page cannot hold is written as Python would."""
    shown = "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in str(value)
    )
    return escape(shown)


def asset(name: str) -> str:
    """Return what a file beside this one holds."""
    return (files("pytest_taskleak.report") / "assets" / name).read_text(encoding="utf-8")
