"""How are the living tasks of a group told?"""

from __future__ import annotations

from pytest_taskleak.adapt import awaiting
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.groups.books import Books
from pytest_taskleak.groups.records import NUMBER, Record, shorten

MOST_LINES = 40
"""Tasks that are told each; the rest is counted."""


def tell(books: Books, name: str) -> str:
    """Return the tree of a group's living tasks."""
    live = {flat[NUMBER]: (Record(*flat), task) for task, flat in books.live.items()}
    head = f"{name}: {len(live):,} of {books.total:,} tasks live"
    below: dict[int, list[int]] = {}
    for number, (record, _) in live.items():
        below.setdefault(record.parent if record.parent in live else 0, []).append(number)
    lines = [head]
    ahead = [(number, "  ") for number in reversed(below.get(0, ()))]
    while ahead and len(lines) <= MOST_LINES:
        number, indent = ahead.pop()
        record, task = live[number]
        lines.append(indent + line(record, task, ended=record.parent not in live))
        ahead += [(child, indent + "  ") for child in reversed(below.get(number, ()))]
    if len(live) > len(lines) - 1:
        lines.append(f"  ... and {len(live) - len(lines) + 1:,} more")
    return "\n".join(lines)


def line(record: Record, task: Task, *, ended: bool) -> str:
    """Return what is told of one task; `ended` says that the one that made it lives no more."""
    marks = ["background"] if record.background else []
    marks += [f"made by {record.parent_name!r}, which has ended"] if record.parent and ended else []
    frames, what = awaiting.chain(task)
    at = f" at {shorten(frames[-1].path)}:{frames[-1].line}" if frames else ""
    user = [frame for frame in frames if frame.role == "project"]
    at = f" at {shorten(user[-1].path)}:{user[-1].line}" if user else at
    waits = f"waits{at} for {what}" if what else f"stands{at}"
    told = f" ({'; '.join(marks)})" if marks else ""
    return f"{record.name}{told}, born {record.born}, {waits}"
