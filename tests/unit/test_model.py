"""Do findings cross borders unchanged, and what makes two the same?"""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak.model import Birth, Finding, Frame, Owner, Resource, Verdict

texts = st.text(max_size=10)
frames = st.builds(
    Frame,
    path=texts,
    line=st.integers(1, 9999),
    qualname=texts,
    role=st.sampled_from(["project", "library", "machinery"]),
)
chains = st.lists(frames, max_size=3).map(tuple)
resources = st.builds(
    Resource, code=texts, name=texts, what=texts, module=texts, state=texts, waiting=chains, waits_for=texts
)
owners = st.builds(
    Owner,
    kind=st.sampled_from(["test", "fixture", "session", "block"]),
    name=texts,
    scope=texts,
    nodeid=texts,
)
findings = st.builds(
    Finding,
    kind=texts,
    resource=resources,
    owner=owners,
    birth=st.builds(Birth, frames=chains, ancestor=chains),
    library=st.none() | texts,
    severity=st.sampled_from(["fail", "warn", "note", "ignore"]),
    rule=st.none() | texts,
    advice=texts,
    allow=texts,
    notes=st.lists(texts, max_size=2).map(tuple),
    count=st.integers(1, 50),
)


@given(findings)
def test_json_round_trip(found: Finding) -> None:
    data = json.loads(json.dumps(found.to_json()))
    assert Finding.from_json(data) == found
    assert data["fingerprint"] == found.fingerprint
    assert data["code"] == found.code


@given(findings, st.integers(1, 99))
def test_fingerprint_ignores_lines(found: Finding, line: int) -> None:
    def move(chain: tuple[Frame, ...]) -> tuple[Frame, ...]:
        return tuple(replace(frame, line=frame.line + line) for frame in chain)

    moved = replace(
        found,
        birth=Birth(frames=move(found.birth.frames), ancestor=move(found.birth.ancestor)),
        resource=replace(found.resource, waiting=move(found.resource.waiting), name="another name"),
    )
    assert moved.fingerprint == found.fingerprint


def sample() -> Finding:
    """Return a plain finding."""
    frames = (
        Frame(path="lib.py", line=1, qualname="lib", role="library"),
        Frame(path="a.py", line=2, qualname="mine"),
    )
    return Finding(
        kind="task",
        resource=Resource(
            code="TL101",
            name="t",
            what="run",
            module="m",
            waiting=(Frame(path="a.py", line=9, qualname="run"),),
        ),
        owner=Owner(kind="test", name="test_a", nodeid="t.py::test_a"),
        birth=Birth(frames=frames),
    )


def test_fingerprint_tells_apart() -> None:
    found = sample()
    assert found.fingerprint == "task|mine|m:run|run"
    others = [
        replace(found, kind="timer"),
        replace(found, birth=Birth()),
        replace(found, resource=replace(found.resource, what="other")),
        replace(found, resource=replace(found.resource, waiting=())),
    ]
    assert len({found.fingerprint, *(f.fingerprint for f in others)}) == 5


def test_site_is_the_users_line() -> None:
    found = sample()
    assert str(found.site) == "a.py:2"
    library = replace(found, birth=Birth(frames=found.birth.frames[:1], ancestor=found.birth.frames[1:]))
    assert str(library.site) == "lib.py:1"
    assert replace(found, birth=Birth()).site is None
    assert str(replace(found, birth=Birth(ancestor=found.birth.frames)).site) == "a.py:2"


def test_project_frames_of_birth_or_ancestor() -> None:
    library, mine = sample().birth.frames
    assert Birth(frames=(library, mine)).project == (mine,)
    assert Birth(frames=(library,), ancestor=(mine,)).project == (mine,)
    assert Birth().project == ()


def test_values_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        sample().kind = "timer"  # type: ignore[misc]


def test_verdict_adds_up() -> None:
    found = sample()
    verdict = Verdict(findings=(found,)) + Verdict(allowed=(found,), notes=("a",))
    assert (verdict.findings, verdict.allowed, verdict.notes) == ((found,), (found,), ("a",))
    assert not Verdict()
    assert Verdict(notes=("a",))
    assert verdict.level("fail") == (found,)
    assert verdict.level("warn", "note") == ()
    data = verdict.to_json()
    assert data["schema"] == 1
    assert json.loads(json.dumps(data)) == data


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        (Owner(kind="test", name="test_a", nodeid="t.py::test_a"), "test t.py::test_a"),
        (Owner(kind="fixture", name="db", scope="module"), "fixture 'db' (scope module)"),
        (Owner(kind="session", name="", scope="session"), "session"),
        (Owner(kind="block", name="no_leaks"), "block no_leaks"),
    ],
)
def test_owner_in_words(owner: Owner, text: str) -> None:
    assert str(owner) == text
