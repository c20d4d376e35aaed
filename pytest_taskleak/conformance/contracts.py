"""How is a contract tried rule by rule, and how is it told what it breaks?"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.explain.birth import shorten

PAGE = "https://pytest-taskleak.readthedocs.io/en/latest/reference/testing.html"
WIDTH = 7
"""Letters that a row's label has at most."""
Tried = TypeVar("Tried")


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that is not kept.

    Parameters:
        rule: its short name, as `D1`.
        title: what the rule asks for.
        advice: what to change; for a detector also what is the case.
        rows: what was tried and seen, each with its label.
    """

    rule: str
    title: str
    advice: str
    rows: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        pairs = [*self.rows, *([("fix", self.advice)] if self.rows else [])]
        told = [f"{label:<{WIDTH}}  {line}" for label, text in pairs for label, line in lined(label, text)]
        lines = [f"    {line}".rstrip() for line in told or self.advice.splitlines()]
        return "\n".join([f"{self.rule}  {self.title}", *lines, f"    {PAGE}#{self.rule.lower()}"])


def lined(label: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a text; only the first one has the label."""
    for number, line in enumerate(text.splitlines()):
        yield "" if number else label, line


class ConformanceError(AssertionError):
    """A detector, a helper or a service does not keep to the rules that it was held to.

    Attributes:
        subject: what was tried, in words.
        kind: the word for the kind of a detector, else empty.
        failures: the rules that are broken, in their order; each has `rule`, `title`, `advice` and `rows`.
    """

    def __init__(self, subject: str, failures: Sequence[Failure], *, kind: str = "") -> None:
        self.subject = subject
        self.kind = kind
        self.failures = tuple(failures)
        rules = len({failure.rule for failure in failures})
        head = f"{subject} breaks {rules} rule{'s' if rules != 1 else ''}:"
        super().__init__("\n\n".join([head, *map(str, failures)]))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is against a rule.

    Parameters:
        advice: what to change, as text that can be pasted.
        rows: what was tried and seen, each with its label.
    """

    advice: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Clause(Generic[Tried]):
    """One rule of a contract.

    Parameters:
        code: its short name.
        title: what it asks for.
        check: yields a fault for each thing that must change.
        needs: the rules without which it cannot be tried.
    """

    code: str
    title: str
    check: Callable[[Tried], Iterator[Fault]]
    needs: tuple[str, ...] = ()


def breaches(
    clauses: Sequence[Clause[Tried]], trial: Tried, *, left_out: Collection[str] = ()
) -> list[Failure]:
    """Return what is against the rules of a contract, in their order.

    Parameters:
        clauses: the rules.
        trial: what is tried.
        left_out: the codes of rules that do not hold for it.
    """
    found: list[Failure] = []
    for clause in clauses:
        if clause.code in left_out or {failure.rule for failure in found} & set(clause.needs):
            continue
        try:
            faults = list(clause.check(trial))
        except Exception as error:  # noqa: BLE001 -- whatever the tried code raises is its failure, not the kit's
            faults = [
                Fault("let it not raise where none of its callers did wrong", (("raised", told(error)),))
            ]
        found += [Failure(clause.code, clause.title, fault.advice, fault.rows) for fault in faults]
    return found


def told(error: BaseException) -> str:
    """Say what was raised, and on which of the user's lines."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if kind_of(frame.filename) in (USER, LIBRARY)]
    if not own:
        return text.splitlines()[0]
    path = shorten(own[-1].filename, os.getcwd())
    return f"{text.splitlines()[0]}  ({path}:{own[-1].lineno} {own[-1].name})"
