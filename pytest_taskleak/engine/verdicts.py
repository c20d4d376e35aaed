"""How do findings become a verdict?"""

from __future__ import annotations

from dataclasses import replace

from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.judge.allow import Rule
from pytest_taskleak.judge.policy import Policy, group
from pytest_taskleak.model import Finding, Verdict

NOTHING = Verdict()


def still_turns(item: Leftover) -> bool:
    """Tell whether a leftover was asked to end on a loop which could have ended it."""
    loop = item.detector.loop(item.thing)
    return loop is not None and not loop.is_closed()


def rule_for(finding: Finding, policy: Policy) -> Rule | None:
    """Return the rule that allows a finding, what the test expects first."""
    return next((r for r in (*policy.expect, *policy.rules) if r.matches(finding)), None)


def resisting(item: Leftover, finding: Finding) -> Finding:
    """Say of a thing that it was asked to end and did not."""
    resource = item.detector.resisting(finding.resource)
    if resource is finding.resource:
        return finding
    return replace(finding, resource=resource, advice=item.detector.advice(resource))


def sort(findings: list[Finding]) -> Verdict:
    """Make a verdict of decided findings."""
    return Verdict(
        findings=tuple(group([f for f in findings if f.rule is None])),
        allowed=tuple(group([f for f in findings if f.rule is not None])),
    )
