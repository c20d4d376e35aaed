"""How does what is left of a scope become a verdict?

Decided by rules and severities, explained where it is reported, and then removed.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pytest_taskleak.diagnosis import NONE_REAPED, Graph, Reaped
from pytest_taskleak.engine.explaining import explain
from pytest_taskleak.engine.outcome import Outcome
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.reap import remove as remove_all
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.engine.sparing import NOTE
from pytest_taskleak.engine.survivor import Survivor
from pytest_taskleak.engine.verdicts import NOTHING, rule_for, sort
from pytest_taskleak.judge.policy import Policy, level
from pytest_taskleak.model import Finding, Verdict

Pairs = list[tuple[Leftover, Finding]]
Remove = Callable[[Sequence[Leftover]], Outcome]


def conclude(watch: Any, scope: Scope, policy: Policy, remove: Remove) -> Verdict:
    """Turn what is left into a verdict, and remove what is a leak.

    Parameters:
        watch: the session of watching.
        scope: whose things are judged.
        policy: what holds for it.
        remove: how leaks are ended.
    """
    with watch.lock:
        findings = [*scope.findings]
        scope.findings.clear()
    left = watch.live(scope, policy)
    if policy.mode == "off":
        for item in left:
            watch.told.add(item.thing)
        return NOTHING
    decided = [d for f in findings if (d := watch.decide(f, policy)) is not None]
    guilty: Pairs = []
    left = watch.claims.keep(scope, left)
    for item in left:
        watch.told.add(item.thing)
    for item, finding in explain(left, scope, watch.root, broken=watch.switch_off):
        verdict = watch.decide(finding, policy)
        if verdict is not None and verdict.rule is None:
            guilty.append((item, verdict))
        elif verdict is not None:
            decided.append(verdict)
    guilty, graph = diagnosed(watch, guilty, decided, policy)
    removed, reaped = removing(watch, scope, guilty, remove)
    reaped += scope.reaped
    scope.reaped = NONE_REAPED
    watch.reaped += reaped
    graphs, scope.graphs = scope.graphs, ()
    return replace(sort(decided + removed), graphs=(*graphs, graph) if graph else graphs, reaped=reaped)


def diagnosed(watch: Any, guilty: Pairs, beside: Sequence[Finding], policy: Policy) -> tuple[Pairs, Graph]:
    """Say why leaks are left; where that fails they are told without.

    Parameters:
        watch: the session of watching.
        guilty: what is reported; mere notes are not worth an explanation.
        beside: what was found of the same scope besides.
        policy: what holds for the scope.
    """
    worse = [(item, f) for item, f in guilty if f.severity != "note"]
    if not worse or policy.explain == "none":
        return guilty, Graph()
    try:
        from pytest_taskleak.engine.diagnosing import diagnose

        watch.bereaved |= {f.owner for f in beside if f.kind == "exception"}
        found, graph = diagnose(worse, watch, full=policy.explain == "full")
    except Exception:  # noqa: BLE001 -- an explanation that fails must not hide the leak
        watch.faults.append(f"TL901 a leak could not be explained:\n{traceback.format_exc()}")
        return guilty, Graph()
    return [(item, found.get(id(item), finding)) for item, finding in guilty], graph


def diagnosed_early(watch: Any, scope: Scope, pairs: Pairs) -> tuple[Pairs, Graph]:
    """Do the same for what is noted when a loop ends, and judged later; allowed things are left out."""
    policy = watch.policy_of(scope)
    told = [(item, replace(f, severity=level(f, policy))) for item, f in pairs if rule_for(f, policy) is None]
    found, graph = diagnosed(watch, told, scope.findings, policy)
    known = {id(item): finding.diagnosis for item, finding in found}
    advice = {id(item): finding.advice for item, finding in found}
    return [
        (item, replace(f, diagnosis=known[id(item)], advice=advice[id(item)]) if id(item) in known else f)
        for item, f in pairs
    ], graph


def removing(watch: Any, scope: Scope, guilty: Pairs, remove: Remove) -> tuple[list[Finding], Reaped]:
    """Remove leaks; return their findings, with what was seen of those that resisted, and the tasks."""
    spared = [item for item, _ in guilty if watch.spared.spares(item)]
    going = [item for item, _ in guilty if item not in spared]
    outcome = remove_all(going, remove)
    guilty = [(x, replace(f, notes=(*f.notes, NOTE)) if x in spared else f) for x, f in guilty]
    watch.survivors += [
        Survivor(item, f, scope) for item, f in guilty if item in outcome.remaining and f.severity != "note"
    ]
    return [outcome.told(item, f, watch.root) for item, f in guilty], outcome.reaped
