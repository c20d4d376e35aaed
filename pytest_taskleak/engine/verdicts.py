"""How do findings become a verdict?"""

from __future__ import annotations

from pytest_taskleak.judge.allow import Rule
from pytest_taskleak.judge.policy import Policy, group
from pytest_taskleak.model import Finding, Verdict

NOTHING = Verdict()


def rule_for(finding: Finding, policy: Policy) -> Rule | None:
    """Return the rule that allows a finding, what the test expects first."""
    return next((r for r in (*policy.expect, *policy.rules) if r.matches(finding)), None)


def sort(findings: list[Finding]) -> Verdict:
    """Make a verdict of decided findings."""
    return Verdict(
        findings=tuple(group([f for f in findings if f.rule is None])),
        allowed=tuple(group([f for f in findings if f.rule is not None])),
    )
