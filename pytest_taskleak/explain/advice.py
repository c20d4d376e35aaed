"""What is to be changed, in one line that can be acted on?"""

from __future__ import annotations

import re
from typing import Any

from pytest_taskleak.adapt import asyncio_, awaiting, evidence
from pytest_taskleak.adapt.futures import bound_to
from pytest_taskleak.explain.anatomy import bare_name
from pytest_taskleak.explain.causes import CAUSES, GATHER, SENTINEL, STREAMS
from pytest_taskleak.explain.choosing import Chosen
from pytest_taskleak.model import Finding, Owner

KEEPS_ADVICE = frozenset({"abandoned", "no-stop", "timer-left"})
"""Causes for which the kind's own advice, which knows how the loop ended, says more."""
NEEDS_NAME = frozenset({"event-never-set", "notify-missing", "barrier-short"})
"""Causes whose cure speaks of a primitive: where code has no name for it, nobody can be told to use it."""
MENDED_BY_CLOSING = KEEPS_ADVICE | {
    "child-alive", "event-never-set", "no-sentinel", "never-fed", "peer-silent", "timer-rearms",
}  # fmt: skip
"""Causes that go away when the object that started the thing is closed."""


def words(chosen: Chosen, finding: Finding, keeper: Any = None) -> tuple[str, str]:
    """Return the cure and the reason.

    Parameters:
        chosen: the class of the cause.
        finding: what is reported; its own advice stands where no class says more.
        keeper: the object that started the thing, if it is known.
    """
    if not chosen.slug:
        return finding.advice, ""
    why = CAUSES[chosen.slug].why.format(name=chosen.name, race=chosen.race)
    if chosen.slug in KEEPS_ADVICE or (chosen.slug in NEEDS_NAME and not chosen.named):
        cure = finding.advice
    else:
        cure = cure_of(chosen).format(name=chosen.name)
    if chosen.slug == "no-stop":
        cure = cure.replace("await the task, or cancel and await it,", "cancel the task and await it")
    if chosen.slug in MENDED_BY_CLOSING:
        cure = closing_call(keeper, finding.owner) or cure
    return cure, why


def cure_of(chosen: Chosen) -> str:
    """Return the cure of a class, as it reads for the sort of primitive."""
    if chosen.kind == "memory-stream" and chosen.slug in STREAMS:
        return STREAMS[chosen.slug]
    if chosen.slug == "thread-no-stop" and chosen.kind == "queue":
        return SENTINEL
    if chosen.race == "asyncio.gather()":
        return GATHER
    return CAUSES[chosen.slug].cure


def keeper_of(kind: str, thing: Any) -> Any:
    """Return the object whose method a task runs or a timer calls, or `None`."""
    if kind == "task":
        return next(iter(awaiting.self_of(thing)), None)
    return next(iter(bound_to(asyncio_.handle_parts(thing)[0])), None) if kind == "timer" else None


def closing_call(keeper: Any, owner: Owner) -> str:
    """Return the call that ends what an object started, where its class has one and it was not called yet."""
    if keeper is None or evidence.is_closed(keeper):
        return ""
    name, awaited = evidence.closer_of(keeper)
    if not name:
        return ""
    kind = bare_name(type(keeper))
    if evidence.is_users(keeper):
        call = f"{variable(kind)}.{name}()"
        call = f"`await {call}`" if awaited else f"`{call}`"
    else:  # the test may never see that object: it is told by its class alone
        call = f"{'await' if awaited else 'call'} the `{name}()` of the {kind}, or of what owns it,"
    if owner.kind == "fixture":
        return f"{call} behind the `yield` of fixture {owner.name!r}"
    where = {"test": "the test", "block": "the block"}.get(owner.kind, f"the {owner.kind}")
    return f"{call} before {where} ends"


def variable(class_name: str) -> str:
    """Return the name that code gives to an instance of a class: `PriceFeed` -> `price_feed`."""
    found = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name)
    return found.strip("_").lower() or "it"
