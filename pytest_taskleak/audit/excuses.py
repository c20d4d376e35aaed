"""What does a comment say of a site: that it is meant, and why?"""

from __future__ import annotations

import ast
import re

from pytest_taskleak.audit import ruff
from pytest_taskleak.audit.source import Source

MEANT = re.compile(
    r"#\s*taskleak\s*:\s*fire[- ]and[- ]forget\b[\s,:-]*(?:because\b)?\s*(?P<why>.*)", re.IGNORECASE
)
NOQA = "noqa: RUF006"


def excuse(source: Source, call: ast.Call, *, by_ruff: bool) -> str:
    """Return why a call is meant, empty where no comment says so.

    The comment stands on one of the call's lines, or alone on the line above.  It must give a reason.

    Parameters:
        source: the file.
        call: the call.
        by_ruff: whether RUF006 speaks of it, so that `noqa: RUF006` speaks of the same.
    """
    lines = list(range(call.lineno, (call.end_lineno or call.lineno) + 1))
    statement = source.statement_of(call)
    first = statement.lineno if statement is not None else call.lineno
    lines += [first, *alone(source, first - 1)]
    for line in lines:
        match = MEANT.search(source.comments.get(line, ""))
        if match is not None and match["why"].strip():
            return match["why"].strip()
    return NOQA if by_ruff and ruff.silenced(source, call) else ""


def alone(source: Source, line: int) -> list[int]:
    """Return the lines of a block of comments that ends on a line."""
    found = []
    while line > 0 and line in source.comments and source.lines[line - 1].lstrip().startswith("#"):
        found.append(line)
        line -= 1
    return found
