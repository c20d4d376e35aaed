"""How is one moment named so that it is found again after unrelated edits, and on other versions of Python?

A token names the axis, the seed, and the step after which the trigger comes: whose it was, where that task
then stood, and how often that had been before.  A task that is cancelled just before it runs is named by that
step, as in `kill,before@...`.  A plain number of a point is understood as well.

asyncio makes some callbacks on some versions of Python only.  Where there is no such callback as a token
names, what is next to it stands for it: the end of the same task, or the moment before that task goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from pytest_taskleak.storm.observing import WOKEN, Step
from pytest_taskleak.storm.places import ENDED, worded
from pytest_taskleak.storm.plan import AXES, TRIALS, WITH_VICTIM, Plan

SAFE = "/+-._="
"""What stays as it is in the name of a dependency."""
FORM = re.compile(
    r"(?P<axis>[a-z0-9]+)(?:,seed=(?P<seed>\d+))?(?:,items=(?P<items>\d+))?(?P<before>,before)?"
    r"(?:,second=(?P<second>\d+))?(?:,(?P<fault>[^,:@]+):(?P<call>\d+)(?P<on>\+?))?(?:@(?P<place>.+))?"
)
WAY = "AXIS@POINT or what a failure prints, as stop@worker-0@Service.work+3~2"


class TokenError(ValueError):
    """A token cannot be read, or names a moment that does not come any more."""


def token_of(plan: Plan, steps: Sequence[Step]) -> str:
    """Return the token of a run.

    Parameters:
        plan: the run.
        steps: what the baseline of its seed did.
    """
    parts = [plan.axis]
    if plan.seed:
        parts.append(f"seed={plan.seed}")
    if plan.items >= 0:
        parts.append(f"items={plan.items}")
    if plan.before:
        parts.append("before")
    if plan.second >= 0:
        parts.append(f"second={plan.second - plan.point}")
    if plan.dependency:
        parts.append(f"{quote(plan.dependency, safe=SAFE)}:{plan.call}{'+' if plan.persistent else ''}")
    text = ",".join(parts)
    if plan.point < 0:
        return text
    place = plan.point if plan.before else plan.point - 1
    if not 0 <= place < len(steps):
        return f"{text}@{plan.point}"
    step = steps[place]
    return f"{text}@{step.label}~{step.occurrence}"


def plan_of(token: str, steps_of: object) -> Plan:
    """Return the run that a token names.

    Parameters:
        token: as printed.
        steps_of: returns, for a seed and a number of items, what its baseline did.

    Raises:
        TokenError: it cannot be read, or no step is like the one that it names.
    """
    found = FORM.fullmatch(token)
    if found is None or found["axis"] not in (*AXES, *TRIALS, "baseline"):
        raise TokenError(f"no token of a storm: {token!r}; it is {WAY}; the axes are {', '.join(AXES)}")
    seed, items = int(found["seed"] or 0), int(found["items"] or -1)
    axis = found["axis"]
    if axis == "baseline":
        return Plan(seed=seed, items=items)
    call: dict[str, Any] = {}
    if found["fault"]:
        name, number, on = unquote(found["fault"]), int(found["call"]), bool(found["on"])
        call = {"dependency": name, "call": number, "persistent": on}
    if call and not found["place"]:
        return Plan(axis, -1, seed, items=items, **call)
    steps: Sequence[Step] = steps_of(seed, items)  # type: ignore[operator]
    before = bool(found["before"])
    point = place_of_point(found["place"] or "", token, steps, after=not before)
    place = point if before else point - 1
    victim = steps[place].task if axis in WITH_VICTIM and 0 <= place < len(steps) else -1
    second = point + int(found["second"]) if found["second"] else -1
    return Plan(axis, point, seed, victim=victim, before=before, second=second, items=items, **call)


def place_of_point(text: str, token: str, steps: Sequence[Step], *, after: bool = True) -> int:
    """Return the point that the second half of a token names: after the step, or before it."""
    if text.isdigit():
        return int(text)
    label, _, number = text.rpartition("~")
    if not label or not number.isdigit():
        raise TokenError(f"no token of a storm: {token!r}; it is {WAY}")
    wanted = worded(unquote(label))
    found = points_of(steps, wanted, after=after)
    if not found:
        raise TokenError(
            f"{token!r}: no step of this service is {wanted!r} any more; "
            "run the whole storm to find the failure anew"
        )
    return found[min(int(number), len(found) - 1)]


def points_of(steps: Sequence[Step], wanted: str, *, after: bool) -> list[int]:
    """Return the points at the steps that are called so, else those next to where they would be."""
    found = [number + after for number, step in enumerate(steps) if step.label == wanted]
    task, told, _ = wanted.partition(f"@{ENDED}:")
    if found or not (told or wanted.endswith(WOKEN)):
        return found
    if told:
        return points_of(steps, f"{task}@{ENDED}", after=after)
    stood = points_of(steps, wanted.removesuffix(WOKEN), after=False)
    following = (
        next((later for later in range(place + 1, len(steps)) if steps[later].task == steps[place].task), -1)
        for place in stood
    )
    return [point for point in following if point >= 0]
