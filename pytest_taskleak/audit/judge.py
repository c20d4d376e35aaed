"""Is a site in order, and if not: what is the matter, and what should be changed?"""

from __future__ import annotations

from typing import Literal

from pytest_taskleak.audit.calls import BARE
from pytest_taskleak.audit.sites import Fate
from pytest_taskleak.audit.table import Row

State = Literal["unstructured", "loose", "excused", "unsure", "ok"]
STATES: tuple[State, ...] = ("unstructured", "loose", "excused", "unsure", "ok")
"""In the order in which they are told.  The gate speaks of the first only."""
SAME_NAME = 2
"""So many tasks of one name at once are told."""


def judged(row: Row) -> tuple[State, str, str]:
    """Return the state of a row, what is the matter, and the cure; both empty where all is well."""
    wrong, why = matter(row)
    if wrong == "ok":
        return "ok", why, ""
    if row.site.excuse:
        return "excused", row.site.excuse, ""
    return wrong, why, "" if wrong == "unsure" else cure(row)


def matter(row: Row) -> tuple[State, str]:
    """Return what is the matter with a site, whatever a comment says of it."""
    site, fate = row.site, row.site.fate
    if not site.sure:
        return "unsure", "what this is called on is not known, and no test has run it"
    if site.kind == "thread":
        return of_thread(row)
    if site.kind == "timer":
        left = row.counts["ended"].get("left", 0)
        return (
            ("loose", f"{left} left scheduled, and nobody has the handle")
            if left and fate.lost
            else ("ok", "")
        )
    if fate.lost:
        state: State = "unstructured" if (site.base or site.call) in BARE else "loose"
        returns = f"{site.via} returns the task, and here it is " if site.via else ""
        return state, f"{returns}{reference(fate)}"
    if row.counts["overwritten"] and not site.awaits and fate.how == "kept":
        count = row.counts["overwritten"]
        times = "once" if count == 1 else f"{count} times"
        return "unstructured", f"{fate.detail.removeprefix('in ')} got another one {times} while its task ran"
    if fate.late:
        return "loose", f"runs from line {fate.late} on, before it is kept {fate.detail}"
    if row.counts["same_name"] >= SAME_NAME and fate.how == "kept":
        return "ok", f"{row.counts['same_name']} of one name at once"
    return "ok", ""


def of_thread(row: Row) -> tuple[State, str]:
    """Return what is the matter with a thread: it is neither joined nor a daemon."""
    site, counts = row.site, row.counts
    daemon = site.daemon or (row.made > 0 and counts["daemons"] == row.made)
    joined = site.fate.how in ("ended", "awaited") or bool(site.awaits) or counts["joined"] > 0
    if daemon or joined or site.fate.how in ("returned", "handed", "group"):
        late = site.fate.late
        return ("ok", f"runs from line {late} on, before it is kept") if late else ("ok", "")
    where = reference(site.fate) if site.fate.lost else f"kept {site.fate.detail}"
    return "loose", f"neither joined nor a daemon: {where}"


def reference(fate: Fate) -> str:
    """Say what becomes of the reference, as a clause."""
    words = {
        "awaited": "awaited",
        "group": "in a group",
        "ended": "",
        "kept": "kept",
        "handed": "handed",
        "returned": "returned",
        "local": "kept",
        "overwritten": "overwritten:",
        "weak": "kept weakly",
        "dropped": "dropped",
    }
    detail = "at once" if fate.how == "dropped" and not fate.detail else fate.detail
    return f"{words[fate.how]} {detail}".strip()


def cure(row: Row) -> str:
    """Return one line that says what to change."""
    site = row.site
    if site.kind == "thread":
        return "keep the thread and join() it when closing, or make it with daemon=True"
    if site.kind == "timer":
        return "keep the handle, and cancel() it when closing"
    if site.near and site.call in BARE:
        return f"a group is at hand: {site.near}.create_task(...)"
    if row.counts["overwritten"] and not site.fate.lost:
        return "cancel and await the former task before another one takes its place"
    if site.fate.late:
        return "keep the task in the statement that makes it, before anything is awaited"
    if site.call.endswith("run_coroutine_threadsafe"):
        return "keep the future, and ask it for its result()"
    if site.fate.how == "overwritten":
        return "put each task into a list, and await asyncio.gather(*tasks)"
    return "await it, make it in an asyncio.TaskGroup, or keep it: tasks.add(task)"
