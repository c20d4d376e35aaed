"""How bad is a finding, and which are told as one?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_taskleak.judge.policy import Policy, group, level
from pytest_taskleak.model import Birth, Finding, Frame, Level, Owner, Resource

FOUND = Finding(
    kind="task",
    resource=Resource(code="TL101", name="a", what="f"),
    owner=Owner(kind="test", name="test_a", nodeid="t.py::test_a"),
    birth=Birth(frames=(Frame(path="a.py", line=1, qualname="f"),)),
)
LIBRARY = replace(
    FOUND, library="pooling 1.0", birth=Birth(frames=(Frame(path="lib.py", line=1, qualname="f"),))
)


@pytest.mark.parametrize(
    ("found", "policy", "expected"),
    [
        (FOUND, {}, "fail"),
        (FOUND, {"mode": "warn"}, "warn"),
        (FOUND, {"severity": {"task": "warn"}}, "warn"),
        (FOUND, {"severity": {"task": "ignore", "TL101": "fail"}}, "fail"),
        (FOUND, {"severity": {"TL102": "ignore"}}, "fail"),
        (FOUND, {"severity": {"task": "note"}, "mode": "warn"}, "note"),
        (FOUND, {"library": "ignore"}, "fail"),
        (LIBRARY, {}, "fail"),
        (LIBRARY, {"library": "warn"}, "warn"),
        (LIBRARY, {"library": "ignore"}, "ignore"),
        (LIBRARY, {"library": "warn", "severity": {"task": "ignore"}}, "ignore"),
        (LIBRARY, {"library": "fail", "severity": {"task": "note"}}, "note"),
    ],
)
def test_level(found: Finding, policy: dict[str, Any], expected: Level) -> None:
    assert level(found, Policy(**policy)) == expected


def test_equal_births_are_grouped() -> None:
    other = replace(FOUND, resource=replace(FOUND.resource, name="b"))
    elsewhere = replace(FOUND, birth=Birth(frames=(Frame(path="a.py", line=2, qualname="f"),)))
    grouped = group([FOUND, other, elsewhere, replace(FOUND, count=3)])
    assert [(f.resource.name, f.count) for f in grouped] == [("a", 5), ("a", 1)]


def test_other_owners_are_not_grouped() -> None:
    fixture = replace(FOUND, owner=Owner(kind="fixture", name="a"))
    assert len(group([FOUND, fixture])) == 2


def test_the_most_important_comes_first() -> None:
    warn = replace(FOUND, severity="warn", birth=Birth())
    timer = replace(FOUND, kind="timer", resource=replace(FOUND.resource, code="TL201"))
    assert group([warn, LIBRARY, timer, FOUND]) == [FOUND, timer, LIBRARY, warn]
    assert group([]) == []
