"""What must be true of every kind?  The rules in their order, each proven by what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_taskleak.conformance import conduct, form, patching, sight
from pytest_taskleak.conformance.contracts import Failure
from pytest_taskleak.conformance.world import Trial

Check = Callable[[Trial], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Parameters:
        code: its short name.
        title: what it asks for.
        check: yields a sentence for each thing that must change.
        sees: it can only be tried with a detector that sees its leak.
        things: it is about things that live, not about losses.
    """

    code: str
    title: str
    check: Check
    sees: bool = True
    things: bool = False


RULES = (
    Rule("D1", "sees the leak", sight.sees, sees=False),
    Rule("D2", "says what it is", sight.describes),
    Rule("D3", "names the line of its birth", sight.names_the_line),
    Rule("D4", "ignores the innocent twin", sight.ignores_the_innocent),
    Rule("D5", "survives disappearance", conduct.survives, things=True),
    Rule("D6", "holds nothing alive", conduct.lets_go, things=True),
    Rule("D7", "undoes its patches", patching.undoes, sees=False),
    Rule("D8", "passes through when nobody watches", patching.passes_through),
    Rule("D9", "costs nothing when idle", patching.rests, sees=False),
    Rule("D10", "removes, or leaves alone", conduct.removes, things=True),
    Rule("D11", "charges the owner, not the bystander", sight.spares_the_bystander),
    Rule("D12", "sees other threads", sight.sees_other_threads),
    Rule("D13", "is well formed", form.well_formed, sees=False),
)


def broken(trial: Trial) -> list[Failure]:
    """Return the rules that a detector does not keep, in their order."""
    found: list[Failure] = []
    blind = False
    for rule in RULES:
        if (rule.sees and blind) or (rule.things and trial.event):
            continue
        try:
            advice = list(rule.check(trial))
        except Exception as error:  # noqa: BLE001 -- whatever a detector raises is its failure, not the kit's
            advice = [f"{type(error).__name__} was raised while this was tried: {error}"]
        found += [Failure(rule.code, rule.title, text) for text in advice]
        blind = blind or (rule.code == "D1" and bool(advice))
    return found
