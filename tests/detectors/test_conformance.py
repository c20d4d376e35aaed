"""What must every kind keep to?"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from pytest_taskleak.detectors import built_in
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine.losses import Recording
from pytest_taskleak.model import Resource

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

KINDS = [d.kind for d in built_in()]


def test_kinds_in_order() -> None:
    assert KINDS[:4] == ["task", "timer", "thread", "executor"]
    assert [d.rank for d in built_in()] == sorted(d.rank for d in built_in())


@pytest.mark.parametrize("kind", KINDS)
def test_canary_is_caught_and_removed(lab: Lab, kind: str) -> None:
    detector = lab.detector(kind)
    with detector.plant() as thing:
        assert any(x is thing for x in lab.live(kind))
        assert detector.alive(thing)
        told = detector.describe(thing)
        assert isinstance(told, Resource)
        assert told.code in detector.codes
        assert told.state
        assert detector.advice(told)
        assert detector.patience(thing) >= 0
        assert thing in tuple(detector.keeper(thing))
    assert not detector.alive(thing)
    assert lab.live(kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_births_are_written_once(lab: Lab, kind: str) -> None:
    with lab.detector(kind).plant() as thing:
        entries = [e for births in lab.scope.births.values() for e in births if e() is thing]
        assert len(entries) == 1
        scope, frames, _, mine = entries[0].birth
        assert scope is lab.scope
        assert len(frames) % 2 == 0
        assert mine


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_kept_alive(lab: Lab, kind: str) -> None:
    with lab.detector(kind).plant() as thing:
        lab.detector(kind).describe(thing)
    del thing
    gc.collect()
    assert [
        e() for births in lab.scope.births.values() for e in births if e() is not None and kind != "executor"
    ] == []


def test_no_two_kinds_share_a_code() -> None:
    codes = [code for detector in built_in() for code in detector.codes]
    assert sorted(set(codes)) == sorted(codes)


def test_defaults_are_harmless() -> None:
    class Plain(Detector):
        kind = "plain"

    plain, thing = Plain(), object()
    assert list(plain.patches(Recording())) == []
    assert plain.loop(thing) is None
    assert plain.patience(thing) == 0.0
    assert list(plain.parts(thing)) == []
    assert list(plain.keeper(thing)) == [thing]
    assert plain.remove(thing) is False
    with plain.plant() as planted:
        assert planted is None
    with pytest.raises(NotImplementedError):
        plain.alive(thing)
    with pytest.raises(NotImplementedError):
        plain.describe(thing)
