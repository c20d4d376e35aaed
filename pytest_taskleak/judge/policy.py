"""What does the user want of a scope: which kinds, how long, what is allowed, how bad is it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pytest_taskleak.judge.allow import Rule
from pytest_taskleak.model import Finding, Level

Mode = Literal["fail", "warn", "off"]
Explain = Literal["none", "short", "full"]

GRACE = 0.1
"""Seconds in which something outside may still finish a leftover; one budget a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings that decide over one scope.

    Parameters:
        mode: `fail`, `warn` or `off`.
        grace: seconds of real time for what something outside can still finish.
        detect: the kinds that are judged.
        rules: what is allowed, the nearest rule first.
        library: how bad a leak is that no code of the project took part in.
        levels: code -> how bad it is by itself, `fail` where nothing is said.
        severity: kind or code -> how bad the user calls it; a code wins over its kind.
        expect: rules of which each must match a finding, for tests of leaking code.
        explain: how much is found out of a finding: `none`, `short` or `full`.
    """

    mode: Mode = "fail"
    grace: float = GRACE
    detect: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    library: Level = "fail"
    levels: Mapping[str, Level] = field(default_factory=dict)
    severity: Mapping[str, Level] = field(default_factory=dict)
    expect: tuple[Rule, ...] = ()
    explain: Explain = "short"


def level(finding: Finding, policy: Policy) -> Level:
    """Return how bad a finding is that no rule allows."""
    worst: Level = policy.levels.get(finding.code, "fail")
    for key in (finding.kind, finding.code):
        worst = policy.severity.get(key, worst)
    if finding.library is not None and _weight(policy.library) < _weight(worst):
        worst = policy.library
    if policy.mode == "warn" and worst == "fail":
        worst = "warn"
    return worst


def is_mild(kind: str, codes: Iterable[str], policy: Policy) -> bool:
    """Tell whether whatever is found of a kind is a note at most: nobody waits for that."""
    given, own = policy.severity, policy.levels
    levels = (given.get(code, given.get(kind, own.get(code, "fail"))) for code in codes)
    return all(level in ("note", "ignore") for level in levels)


def _weight(name: Level) -> int:
    return ("ignore", "note", "warn", "fail").index(name)


def group(findings: list[Finding]) -> list[Finding]:
    """Merge what was born on one line for one owner into one finding with a count."""
    merged: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.owner, finding.birth, finding.resource.what, finding.rule)
        first = merged.get(key)
        merged[key] = finding if first is None else replace(first, count=first.count + finding.count)
    ranks = {"fail": 0, "warn": 1, "note": 2, "ignore": 3}
    return sorted(merged.values(), key=lambda f: (ranks[f.severity], f.library is not None, f.code))
