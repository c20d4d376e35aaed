"""What does the file hold that the audit leaves, as JSON or as Markdown?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_taskleak.audit import columns
from pytest_taskleak.audit.gate import failing
from pytest_taskleak.audit.judge import judged
from pytest_taskleak.audit.layout import headline
from pytest_taskleak.audit.sites import Problem
from pytest_taskleak.audit.table import Row

SCHEMA = 1
HEAD = (
    "site",
    "function",
    "makes",
    "state",
    "made",
    "named",
    "kept",
    "awaited",
    "ended",
    "tests",
    "what to do",
)


def content(path: str, rows: Sequence[Row], problems: Sequence[Problem], gate: str) -> str:
    """Return the text of a report, in the format that its suffix names."""
    if os.path.splitext(path)[1] == ".json":
        return json.dumps(document(rows, problems, gate), indent=2) + "\n"
    return "\n".join(markdown(rows, problems)) + "\n"


def document(rows: Sequence[Row], problems: Sequence[Problem], gate: str) -> dict[str, Any]:
    """Return the whole table as builtins."""
    return {
        "schema": SCHEMA,
        "gate": gate,
        "failing": [f"{row.site.path}:{row.site.line}" for row in failing(rows, gate)],
        "sites": [entry(row) for row in rows],
        "problems": [{"path": p.path, "line": p.line, "message": p.message} for p in problems],
    }


def entry(row: Row) -> dict[str, Any]:
    """Return one row as builtins."""
    site, counts = row.site, row.counts
    state, why, cure = judged(row)
    return {
        "path": site.path,
        "line": site.line,
        "function": site.qualname,
        "kind": site.kind,
        "call": site.call,
        "via": site.via,
        "helper": site.helper,
        "test_code": row.is_test,
        "state": state,
        "why": why,
        "cure": cure,
        "ruff": site.ruff,
        "excuse": site.excuse,
        "group_at_hand": site.near,
        "named": columns.named(row),
        "kept": columns.kept(row),
        "fate": site.fate.how,
        "awaited": columns.awaited(row),
        "made": row.made,
        "at_once": counts["at_once"],
        "same_name_at_once": counts["same_name"],
        "overwritten_while_running": counts["overwritten"],
        "ended": dict(sorted(counts["ended"].items())),
        "tests": counts["examples"],
        "tests_count": counts["tests"],
    }


def markdown(rows: Sequence[Row], problems: Sequence[Problem]) -> Iterator[str]:
    """Yield the lines of the table, the project's code before its tests."""
    yield "# Where tasks, timers and threads are made"
    yield ""
    yield f"{headline(rows)}."
    for title, part in (
        ("Code", [r for r in rows if not r.is_test]),
        ("Tests", [r for r in rows if r.is_test]),
    ):
        if part:
            yield ""
            yield f"## {title}"
            yield ""
            yield f"| {' | '.join(HEAD)} |"
            yield f"|{'---|' * len(HEAD)}"
            yield from (f"| {' | '.join(cell(text) for text in texts(row))} |" for row in part)
    if problems:
        yield ""
        yield "## Not read"
        yield ""
        yield from (f"- {problem}" for problem in problems)


def texts(row: Row) -> tuple[str, ...]:
    """Return the cells of one row."""
    site = row.site
    state, why, cure = judged(row)
    return (
        f"{site.path}:{site.line}",
        f"`{site.qualname}`",
        f"`{columns.what(row)}`",
        state,
        columns.made(row) if row.made else "never",
        columns.named(row),
        columns.kept(row),
        columns.awaited(row),
        columns.ended(row),
        columns.tests(row),
        "; ".join(text for text in (why, cure) if text),
    )


def cell(text: str) -> str:
    """Return a text that stays within its cell."""
    return text.replace("|", "\\|").replace("\n", " ")
