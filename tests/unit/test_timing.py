"""Is the waiting bounded, whatever clocks do?"""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak import timing


@given(st.floats(0, 3))
def test_backoff_spends_the_budget_and_no_more(budget: float) -> None:
    pauses = list(timing.backoff(budget))
    assert sum(pauses) <= budget + 1e-9
    assert sum(pauses) == pytest.approx(budget, abs=1e-8)
    assert all(0 < pause <= timing.LONGEST_PAUSE for pause in pauses)
    assert all(b >= a for a, b in itertools.pairwise(pauses[:-1]))
    assert len(pauses) <= budget / timing.LONGEST_PAUSE + 8


@given(st.floats(max_value=0))
def test_no_budget_no_pause(budget: float) -> None:
    assert list(timing.backoff(budget)) == []


def test_frozen_clocks_and_sleeps_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 42.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("slept by a mock"))
    assert timing.now() != 42.0
    timing.pause(0)
