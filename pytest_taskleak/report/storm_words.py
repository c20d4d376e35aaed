"""Which sentences tell of a shutdown storm, in whatever layout they stand?

What is told is a document, as `storm.telling.document` makes it, or the report itself: any dataclass with
the same fields.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

Values = Mapping[str, Any]
NOT_RUN, WELL = " ", "."
"""What stands in a strip for a point that has no run, and for one where all was well."""
BAD = "violation"
"""The scale that fails a test."""
PASTED = re.compile(r"[\w@%+=:,./~-]+")
"""What a shell takes as it is."""


def values_of(report: Any) -> Values:
    """Return a report as a document; one that is a document already is returned as it is."""
    if isinstance(report, Mapping):
        return report
    values = asdict(report)
    for axis in values["axes"]:
        marks = axis.pop("marks")
        axis["strip"] = "".join(marks.get(place, NOT_RUN) for place in range(max(marks, default=-1) + 1))
    return values


def failing(values: Values) -> bool:
    """Tell whether something was found that fails a test."""
    return any(cause["scale"] == BAD for cause in values["causes"])


def headline(values: Values) -> str:
    """Return one line that stands alone: whose storm, how much was swept, and what came of it."""
    if values.get("replay"):
        return replay_headline(values)
    lead = f"shutdown storm {values['name']}: "
    if failing(values):
        causes = number([cause["scale"] for cause in values["causes"]].count(BAD), "cause")
        if not swept(values):
            return f"{lead}{causes} without any trigger, so that nothing was swept{tail(values)}"
        bad = sum(axis["failing"] for axis in values["axes"])
        runs = f"{bad:,} of {number(values['runs'], 'run')} failing"
        return f"{lead}{causes}, {runs}, {size(values)}, in {real(values['seconds'])}{tail(values)}"
    axes = ", ".join(f"{axis['axis']} {axis['ran']:,}/{axis['planned']:,}" for axis in values["axes"])
    runs = f"{number(values['runs'], 'run')} in {real(values['seconds'])}, {size(values)}"
    return f"{lead}{runs}{': ' if axes else ''}{axes}{tail(values)}"


def replay_headline(values: Values) -> str:
    """Return the headline of one moment that was run again."""
    causes = [cause["scale"] for cause in values["causes"]].count(BAD)
    found = number(causes, "cause") if causes else "all well" if values["complete"] else "nothing is known"
    return f"shutdown storm {values['name']}, one moment: {found}{tail(values)}"


def size(values: Values) -> str:
    """Return of how many points and seeds a sweep is."""
    seeds = len(values["seeds"])
    return number(values["points"], "point") + (f", {seeds} seeds" if seeds > 1 else "")


def swept(values: Values) -> int:
    """Return how many runs with a trigger were made."""
    return sum(axis["ran"] for axis in values["axes"])


def planned(values: Values) -> int:
    """Return how many runs with a trigger were asked for."""
    return sum(axis["planned"] for axis in values["axes"])


def tail(values: Values) -> str:
    """Return what ends a headline: how far it can be relied on, and the slowest stop."""
    known = {True: "deterministic", False: "NOT deterministic", None: "determinism not checked"}
    worst = f"; worst drain {virtual(worst_drain(values))}" if swept(values) else ""
    return f"; {known[values['deterministic']]}{worst}"


def worst_drain(values: Values) -> float:
    """Return the virtual seconds of the slowest stop of all axes."""
    return max((axis["worst_drain"] for axis in values["axes"]), default=0.0)


def notes(values: Values) -> list[str]:
    """Return what must be known so that the headline is not taken for more than it is."""
    found = [str(values["claim"])] if values.get("claim") else []
    if values.get("replay"):
        if not values["complete"]:
            found.append("the moment that the token names did not come, so that nothing is said of it")
    elif not values["complete"] and swept(values) < planned(values):
        axes = [axis for axis in values["axes"] if axis["planned"]]
        what = "points" if len(axes) == 1 else "points of all axes"
        far = f"swept {swept(values):,} of {planned(values):,} {what} (spread), nothing is said of the rest"
        found.append(f"{end_of(values)}: {far}")
    elif not values["complete"] and not (failing(values) and not swept(values)):
        found.append(f"{end_of(values)}: not all that was asked for was swept, nothing is said of the rest")
    if values.get("not_begun") and (swept(values) or not failing(values)):
        found.append(f"not begun: {', '.join(values['not_begun'])}")
    if values["deterministic"] is False:
        where = f", {values['divergence']}" if values["divergence"] else ""
        found.append(
            f"not deterministic: two runs of the same differ{where}; this sweep is a best effort: a failure "
            "need not come again, and a moment that went well may fail the next time"
        )
    return found


def left_out(values: Values, *, whole: bool) -> list[tuple[str, str]]:
    """Return which scenarios were not tried, and why: those of one reason together.

    Parameters:
        values: the document.
        whole: whether all of the reason is told, and not its first clause.
    """
    groups: dict[str, list[str]] = {}
    for name, why in (values.get("left_out") or {}).items():
        groups.setdefault(why if whole else re.split("[,:;]", why)[0], []).append(name)
    return [(", ".join(names), why) for why, names in groups.items()]


def end_of(values: Values) -> str:
    """Say why a sweep is not complete."""
    return "stopped by hand" if values["interrupted"] else "the budget is spent"


def badge(cause: Values) -> str:
    """Return the word that a cause begins with."""
    return "FAIL" if cause["scale"] == BAD else str(cause["scale"])


def first(cause: Values) -> str:
    """Return the axis and the point of the first failure of a cause."""
    if cause["axis"] == "baseline":
        return "without any trigger"
    if cause["point"] < 0:
        return str(cause["token"])
    seed = f" (seed {cause['seed']})" if cause["seed"] else ""
    return f"{cause['axis']}@{cause['point']}{seed}"


def command(token: str, *, nodeid: str = "", lead: str = "") -> str:
    """Return what to type to see one failure again.

    Parameters:
        token: names the moment.
        nodeid: of the test; may be empty.
        lead: what it begins with, in place of `pytest` and the test.
    """
    lead = lead or " ".join(["pytest", *(quoted(word) for word in (nodeid,) if word)])
    return f"{lead} {quoted(f'--taskleak-replay={token}')}"


def story_title(values: Values) -> str:
    """Return what the run is called that is told in full."""
    if values.get("replay"):
        return "the moment"
    known = any(cause["token"] == values["story"]["token"] for cause in values["causes"])
    return "first failure" if known else "first failure, before it was made smaller"


def quoted(word: str) -> str:
    """Return a word as a shell takes it."""
    if PASTED.fullmatch(word):
        return word
    return f'"{word}"' if not set(word) & set('"$`\\!') else shlex.quote(word)


def legend(values: Values) -> list[tuple[str, str]]:
    """Return the letters that stand in the strips, with their names."""
    names = {cause["oracle"]: cause["name"] for cause in values["causes"]}
    letters = dict.fromkeys("".join(axis["strip"] for axis in values["axes"]))
    return [(letter, names[letter]) for letter in letters if letter in names]


def number(count: int, one: str) -> str:
    """Return a number with the right form of a word."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def real(seconds: float) -> str:
    """Return real seconds, as exact as they are worth."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


def virtual(seconds: float | None) -> str:
    """Return virtual seconds; they are exact."""
    return "-" if seconds is None else f"{seconds:.3f} s"
