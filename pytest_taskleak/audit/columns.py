"""What stands in each column of the table, in words?"""

from __future__ import annotations

from pytest_taskleak.audit.judge import reference
from pytest_taskleak.audit.sites import ENDS, MOST_TESTS
from pytest_taskleak.audit.table import Row

DASH = "-"


def made(row: Row) -> str:
    """Return how often the site has made something."""
    count = row.made
    peak = row.counts["at_once"]
    return f"{count} times, {peak} at once" if peak > 1 else f"{count} times" if count != 1 else "once"


def named(row: Row) -> str:
    """Return whether what is made has a name of its own."""
    site = row.site
    if site.kind == "timer" or site.call.endswith("run_coroutine_threadsafe"):
        return DASH
    if row.made:
        count = row.counts["named"]
        return "yes" if count == row.made else "no" if not count else f"{count} of {row.made}"
    return DASH if site.named is None else "yes" if site.named else "no"


def kept(row: Row) -> str:
    """Return whether the reference is kept, and where."""
    fate = row.site.fate
    if fate.how in ("awaited", "group", "ended"):
        return "yes"
    text = reference(fate).removeprefix("kept ")
    if fate.lost:
        return f"no: {text}"
    return f"yes: {text}" if fate.how == "kept" else text


def awaited(row: Row) -> str:
    """Return whether it is awaited, or in a group, or otherwise ended by code that is to be seen."""
    site, fate = row.site, row.site.fate
    if fate.how == "group":
        return f"in {fate.detail or 'a group'}"
    if fate.how in ("awaited", "ended"):
        return fate.detail or "yes"
    if row.counts["joined"]:
        return "joined"
    if site.kind == "thread" and (site.daemon or (row.made and row.counts["daemons"] == row.made)):
        return site.awaits or "a daemon"
    if site.awaits:
        return site.awaits
    return "no" if fate.how == "kept" or fate.lost else "not known"


def ended(row: Row) -> str:
    """Return how what was made has ended."""
    counts = row.counts["ended"]
    told = [f"{counts[how]} {how}" for how in ENDS if counts.get(how)]
    if len(told) == 1:
        return told[0].partition(" ")[2]
    return ", ".join(told) or DASH


def tests(row: Row) -> str:
    """Return which tests have made something here, three at most, and how many there are."""
    examples, count = row.counts["examples"], row.counts["tests"]
    if not row.made:
        return "none: no test makes it"
    if not count:
        return "none: outside of tests"
    more = f" and {count - len(examples)} more" if count > MOST_TESTS else ""
    return ", ".join(examples) + more


def what(row: Row) -> str:
    """Return what is called, and by way of which helper."""
    site = row.site
    return f"{site.call} via {site.via}" if site.via else site.call
