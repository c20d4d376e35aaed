"""Circles of threads that wait for each other, on made-up standings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak.adapt.standing import Standing
from pytest_taskleak.explain.threads import EVIDENCE, cycles, edges, self_blocked, story, waits_on


def waiting(holder: int | None = None, *, kind: str = "lock", **more: Any) -> Standing:
    return Standing(kind, "threading.Lock.acquire()", holder=holder, **more)


def graph(*holders: int | None) -> dict[int, Standing]:
    """Thread 1 waits for the first holder, and so on; `None` waits for nobody that is known."""
    return {number: waiting(holder) for number, holder in enumerate(holders, 1)}


def test_nothing_waits() -> None:
    assert cycles({}) == []
    assert cycles(graph(None, None)) == []


@pytest.mark.parametrize(
    ("holders", "found"),
    [
        ((1,), [[1]]),
        ((2, 1), [[1, 2]]),
        ((2, 3, 1), [[1, 2, 3]]),
        ((2, 3, 2), [[2, 3]]),  # the first waits for a circle and is not in it
        ((2, 1, 4, 3), [[1, 2], [3, 4]]),
        ((2, 3, None), []),
        ((2, 3, 99), []),  # waits for a thread that was not looked at
    ],
)
def test_circles(holders: tuple[int | None, ...], found: list[list[int]]) -> None:
    assert cycles(graph(*holders)) == found


def test_order_is_that_of_the_threads() -> None:
    turned = {7: waiting(5), 5: waiting(7)}
    assert cycles(turned) == [[7, 5]]


def test_a_timed_wait_ends_by_itself() -> None:
    assert cycles({1: waiting(2), 2: waiting(1, timed=True)}) == []
    assert edges({1: waiting(2), 2: waiting(1, timed=True)}) == [(1, 2, "held by"), (2, 1, "held by")]


def test_any_of_several_could_help() -> None:
    """Two permits are out: one with a thread that is caught, one with a thread that goes on."""
    caught = {1: waiting(kind="semaphore", among=(2, 3)), 2: waiting(1), 3: waiting(1)}
    assert cycles(caught) == [[1, 2]]
    assert cycles({**caught, 3: Standing("running")}) == []
    assert waits_on(caught[1]) == (2, 3)


def test_a_pool_that_waits_for_itself() -> None:
    assert cycles({1: waiting(kind="future", among=(1,), holder=1)}) == [[1]]


def test_a_loop_that_waits_for_itself() -> None:
    loop = object()
    own = waiting(1, kind="future", calls_loop=loop)
    assert self_blocked({1: own, 2: waiting(1, kind="future", calls_loop=loop)}) == [1]
    assert self_blocked({1: waiting(1)}) == []
    assert self_blocked({1: waiting(1, calls_loop=loop, timed=True)}) == []


def test_labels() -> None:
    seen = {
        1: waiting(2, kind="join"),
        2: waiting(1, kind="future"),
        3: waiting(1, kind="rlock"),
        4: waiting(),
    }
    assert edges(seen) == [(1, 2, "joins"), (2, 1, "waits for"), (3, 1, "held by")]
    assert EVIDENCE == "deadlock (evidence: stacks)"


def test_story() -> None:
    code = test_story.__code__
    one = waiting(2, name="b", detail="held by thread 'two' (with `b` at x.py:3)", frames=[(code, 0)])
    lines = story([1, 2], {1: one, 2: waiting(1)})
    at = f"test_thread_cycles.py:{code.co_firstlineno}"
    held = "held by thread 'two' (with `b` at x.py:3)"
    assert lines == [
        f"a thread of _thread waits at {at} for threading.Lock.acquire() of `b`, {held}",
        "a thread of _thread waits for threading.Lock.acquire()",
    ]


@given(st.lists(st.one_of(st.none(), st.integers(1, 8)), max_size=8))
def test_what_single_holders_must_yield(holders: list[int | None]) -> None:
    """With one holder each the circles are exactly the cycles of a function's graph."""
    seen = graph(*holders)
    found = cycles(seen)
    for circle in found:
        assert all(seen[a].holder == b for a, b in zip(circle, [*circle[1:], circle[0]], strict=True))
    members = [ident for circle in found for ident in circle]
    assert len(members) == len(set(members))
    expected = set()
    for start in seen:
        ident, steps = start, 0
        while steps <= len(seen) and ident in seen and seen[ident].holder is not None:
            ident, steps = seen[ident].holder or 0, steps + 1
            if ident == start:
                expected.add(start)
                break
    assert set(members) == expected


@given(st.lists(st.frozensets(st.integers(1, 6), max_size=3), max_size=6))
def test_nobody_is_caught_who_can_be_helped(choices: list[frozenset[int]]) -> None:
    seen = {n: waiting(kind="semaphore", among=tuple(sorted(c))) for n, c in enumerate(choices, 1)}
    free = {n for n in seen if not seen[n].among} | {n for n in range(1, 7) if n not in seen}
    while more := {n for n in seen if n not in free and free & set(seen[n].among)}:
        free |= more
    assert all(ident not in free for circle in cycles(seen) for ident in circle)
    assert bool(cycles(seen)) == bool(set(seen) - free)
