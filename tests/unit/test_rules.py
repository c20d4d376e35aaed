"""What can be read as a rule, and what does it match?"""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak.judge.allow import FIELDS, Rule, RuleError, parse, singular, suggestion
from pytest_taskleak.model import Birth, Finding, Owner, Resource

KINDS = ("task", "timer", "thread", "executor")
CODES = ("TL101", "TL102", "TL201", "TL301", "TL303")

names = st.text(string.ascii_letters + string.digits + "_.-<>", min_size=1, max_size=12)
kinds = st.sampled_from(KINDS)


def rule(text: Any, **options: Any) -> Rule:
    """Read a rule."""
    return parse(text, origin="a test", kinds=KINDS, codes=CODES, **options)


def finding(**facts: Any) -> Finding:
    """Return a finding with these facts."""
    return Finding(
        kind=facts.get("kind", "task"),
        resource=Resource(
            code=facts.get("code", "TL101"),
            name=facts.get("name", "poller-1"),
            what=facts.get("what", "Poller._run"),
            module=facts.get("module", "app.poller"),
            role=facts.get("role", "coroutine"),
        ),
        owner=Owner(kind="fixture", name="server", scope="session", nodeid="tests/test_a.py::test_a[1]"),
        birth=Birth(),
        library=facts.get("library"),
    )


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("task:poller-*", True),
        ("task:poller-1", True),
        ("tasks:poller-1", True),
        ("*:poller-1", True),
        ("*:*", True),
        ("task:*", True),
        ("timer:*", False),
        ("task:Poller-*", False),
        ("task:Poller._run", True),
        ("task:app.poller:Poller._run", True),
        ("task:app.*:*._run", True),
        ("task:_run", False),
        ("task:poller", False),
        ("TL101", True),
        ("TL102", False),
        ("TL101:poller-?", True),
        ("TL101:other", False),
        ("task:name=poller-[0-9]", True),
        ("task:name=Poller._run", False),
        ("task:coroutine=Poller._run", True),
        ("task:coroutine=app.poller:*", True),
        ("task:coroutine=poller-1", False),
        ("task:target=*._run", False),
        ("task:callback=*._run", False),
        ("task:module=app.*", True),
        ("task:module=app", False),
        ("task:package=app", True),
        ("task:package=app.*", False),
        ("task:owner=server", True),
        ("task:owner=tests/test_a.py::*", True),
        ("*:owner=serv", False),
        (" task : poller-1 ", True),
        ("task:a=b", None),
        ("task:poller=1", None),
    ],
)
def test_matching(text: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(RuleError, match="unknown field"):
            rule(text)
    else:
        assert rule(text).matches(finding()) is matches


def test_library_is_matched_by_its_distribution() -> None:
    found = finding(library="aiohttp 3.9", module="aiohttp.connector")
    assert rule("task:package=aiohttp").matches(found)
    assert rule("*:package=aio*").matches(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["non-empty"]),
        ("  ", ["non-empty"]),
        (None, ["non-empty", "None"]),
        (7, ["non-empty", "7"]),
        ("task", ["a pattern is missing", "'task:*'"]),
        ("tasks", ["a pattern is missing", "'task:*'"]),
        ("*", ["a pattern is missing", "'*:*'"]),
        ("task:", ["the pattern is empty"]),
        ("TL101:", ["the pattern is empty"]),
        (":x", ["no kind and no code"]),
        ("taks:x", ["did you mean 'task'", "task, timer, thread, executor", "TL101"]),
        ("TL1O1", ["did you mean 'TL101'"]),
        ("task:nam=x", ["unknown field 'nam'", "did you mean 'name'", "coroutine"]),
        ("task:name=", ["the pattern is empty"]),
    ],
)
def test_unreadable(text: Any, words: list[str]) -> None:
    with pytest.raises(RuleError) as error:
        rule(text)
    for word in words:
        assert word in str(error.value)


@given(kind=kinds, name=names)
def test_a_name_matches_itself(kind: str, name: str) -> None:
    assert rule(f"{kind}:name={name}").matches(finding(kind=kind, name=name))


@given(kind=kinds, other=kinds, name=names)
def test_a_kind_matches_only_itself(kind: str, other: str, name: str) -> None:
    assert rule(f"{kind}:*").matches(finding(kind=other, name=name)) is (kind == other)
    assert rule("*:*").matches(finding(kind=other, name=name))


@given(module=names, what=names)
def test_the_suggested_line_matches(module: str, what: str) -> None:
    assert rule(f"task:{module}:{what}").matches(finding(module=module, what=what))


@given(field=st.sampled_from(FIELDS), glob=names)
def test_a_field_matches_no_more_than_all(field: str, glob: str) -> None:
    assert rule(f"*:{field}=*").matches(finding())
    if rule(f"task:{field}={glob}").matches(finding()):
        assert rule(f"*:{field}={glob}").matches(finding())


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = rule(text)
    except RuleError:
        return
    assert read.matches(finding()) in (True, False)
    assert read.text == text


def test_a_rule_tells_where_it_was_written() -> None:
    assert str(rule("task:x")) == "'task:x' (a test)"
    assert str(rule("task:x", reason="known")) == "'task:x' (a test, because known)"


def test_words_for_kinds() -> None:
    assert [singular(word, KINDS) for word in ("tasks", "handle", "handles", "bus")] == [
        "task",
        "timer",
        "timer",
        "bus",
    ]
    assert suggestion("thraed", KINDS) == ", did you mean 'thread'?"
    assert suggestion("zzz", KINDS) == ""
