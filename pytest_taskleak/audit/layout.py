"""How does the table read in a terminal?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_taskleak.audit import columns
from pytest_taskleak.audit.judge import STATES, judged
from pytest_taskleak.audit.sites import Problem
from pytest_taskleak.audit.table import Row, totals

MOST_ROWS = 30
MOST_PROBLEMS = 5
REPORT = "--taskleak-audit-report=audit.md"


def lines(rows: Sequence[Row], problems: Sequence[Problem], *, most: int = MOST_ROWS) -> Iterator[str]:
    """Yield the lines of the section: the unstructured sites first, each with its cure.

    Parameters:
        rows: the whole table.
        problems: what could not be read.
        most: rows that are told.
    """
    told = sorted((row for row in rows if not row.is_test), key=rank)
    yield headline(rows)
    for row in told[:most]:
        yield from block(row)
    if len(told) > most:
        yield f"... {len(told) - most} more: {REPORT}"
    tests = [row for row in rows if row.is_test]
    if tests:
        bad = sum(judged(row)[0] == "unstructured" for row in tests)
        yield f"{len(tests)} more {plural('site', len(tests))} in test code, {bad} unstructured: {REPORT}"
    for problem in problems[:MOST_PROBLEMS]:
        yield f"note: {problem}"
    if len(problems) > MOST_PROBLEMS:
        yield f"note: {len(problems) - MOST_PROBLEMS} more that could not be read: {REPORT}"


def rank(row: Row) -> tuple[int, tuple[str, int, tuple[int, int], str]]:
    """Return where a row stands: the worst first, then by file and line."""
    return STATES.index(judged(row)[0]), row.site.order


def headline(rows: Sequence[Row]) -> str:
    """Return the line that counts."""
    mine = [row for row in rows if not row.is_test]
    count = totals(mine)
    states = [judged(row)[0] for row in mine]
    parts = [f"{states.count(state)} {state}" for state in STATES if state != "ok" and state in states]
    sites, files = count["sites"], count["files"]
    where = f"{sites} {plural('site', sites)} in {files} {plural('file', files)}"
    return f"{where}: {', '.join(parts) or 'all in order'}; {count['seen']} seen in this run"


def block(row: Row) -> Iterator[str]:
    """Yield the lines of one site."""
    state, why, cure = judged(row)
    site = row.site
    mark = "" if state == "ok" else f"  {state.upper()}"
    name = {"yes": ", named", "no": ", no name"}.get(columns.named(row), "")
    yield f"{site.path}:{site.line}  {site.qualname}  {columns.what(row)}{name}{mark}"
    if why:
        yield f"  why     {why}"
    if cure:
        yield f"  fix     {cure}"
    if state in ("ok", "unsure", "excused"):
        yield f"  kept    {columns.kept(row)}; awaited: {columns.awaited(row)}"
    if row.made:
        yield f"  seen    {columns.made(row)}, {columns.ended(row)}; by {columns.tests(row)}"
    else:
        yield "  seen    never: no test makes it"


def plural(noun: str, count: int) -> str:
    """Return the word for so many."""
    return noun if count == 1 else f"{noun}s"
