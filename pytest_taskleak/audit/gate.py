"""Does the session fail because of a site, and what is said then?"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_taskleak.audit.judge import judged
from pytest_taskleak.audit.table import Row


def failing(rows: Iterable[Row], gate: str) -> list[Row]:
    """Return the sites because of which a session fails: unstructured ones that are no tests."""
    if gate == "none":
        return []
    return [row for row in rows if not row.is_test and judged(row)[0] == "unstructured"]


def verdict(found: int, gate: str) -> str:
    """Return the line that tells that a session fails."""
    sites = "1 site makes" if found == 1 else f"{found} sites make"
    return f"taskleak: {gate}: {sites} tasks that nobody awaits, groups or keeps, so this run fails"
