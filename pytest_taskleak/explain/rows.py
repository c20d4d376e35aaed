"""Which further lines tell of a wait: the state of the primitive, who holds it, who could end the wait?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_taskleak.explain.choosing import NOUNS
from pytest_taskleak.explain.finality import Outlook
from pytest_taskleak.explain.scene import LOCKS, Scene

MOST = 3
"""How many holders or helpers of one primitive are named."""
SILENT = ("sleep", "ready", "unstarted", "unknown", "task", "future", "lock", "event")
"""Kinds of wait whose state is told elsewhere, or is nothing."""


def rows_of(scene: Scene, outlook: Outlook, task: Any) -> tuple[tuple[str, str], ...]:
    """Return the lines, each with its label."""
    wait = scene.wait(task)
    rows: list[tuple[str, str]] = []
    if wait.inside:
        rows.append(("inside", wait.inside))
    if wait.detail and wait.kind not in SILENT:
        rows.append((NOUNS.get(wait.kind, wait.kind), wait.detail))
    if wait.kind in LOCKS and wait.thing is not None:
        rows += cut([("held by", text) for text in holders(scene, task, wait.thing)])
    elif wait.thing is not None:
        rows += cut([("needs", text) for text in helpers(scene, outlook, task)])
    return tuple(rows)


def cut(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return so many rows as are read, and the number of the rest."""
    more = len(rows) - MOST
    return rows if more <= 0 else [*rows[:MOST], ("", f"... and {more} more")]


def holders(scene: Scene, task: Any, thing: Any) -> Iterator[str]:
    """Yield who holds a lock or permits."""
    found, complete = scene.holders(thing)
    for holder, held in found:
        who = "this very task" if holder is task else f"task {holder.get_name()!r}"
        yield f"{who}, taken at {scene.in_code(held.code, held.line)}"
    if not found and not complete:
        yield "nobody that is left: its holder ended without release(), or used a bare acquire()"


def helpers(scene: Scene, outlook: Outlook, task: Any) -> Iterator[str]:
    """Yield whose code would end the wait, if it ever came to it."""
    for other, method, code, line in scene.completers(task, scene.wait(task)):
        hopeless = outlook.finality(other) in ("stuck", "deadlock", "closed")
        rest = ", which is stuck itself" if hopeless else ""
        yield f"{method}() by task {other.get_name()!r} at {scene.in_code(code, line)}{rest}"
