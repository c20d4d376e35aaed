"""Does a random program do under the clock what it does on the real loop, at the times of a plain model?"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from pytest_taskleak import FakeClock
from pytest_taskleak.adapt.stepping import VirtualTimer

sys.path.insert(0, str(Path(__file__).resolve().parent))

from discrete import DiscreteLoop
from timed_programs import Body, Run, Statement, statements

Seen = list[tuple[Fraction, str]]
QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}
LONG = 1000
"""Ticks after which a program is ended."""
UNIT = 0.004
"""Seconds that the real loop has between any two times at which something is due."""
POWERS = (1, 2, 4)
"""Delays in units of which no two sums are equal; each stands once in a program."""
REAL_LIMIT = 8
LATE = 0.002
"""Seconds by which the real loop may be late, or the run says nothing about order."""
TICK = 1 / 512
"""Seconds: sums of them are exact in floats, and whole nanoseconds."""
BUSY = (1, 1, 2, 3, 5, 10, 100, 900)
ZERO = (0, *BUSY)
"""On uvloop a timer without delay is no timer, and no later than what is ready."""


def modelled(body: Body, limit: int = LONG) -> Seen:
    """Return what a program does by the model, with exact times in ticks."""
    return DiscreteLoop().run(Run(Fraction).whole(body, limit))


def under_the_clock(body: Body, uvloop: bool = False, **options: Any) -> Seen:  # noqa: FBT002 -- plain enough
    """Return what a program does under the clock, with times in ticks."""
    factory = importlib.import_module("uvloop").new_event_loop if uvloop else None
    run = Run(lambda units: units * TICK)
    with FakeClock(**options) as clock, asyncio.Runner(loop_factory=factory) as runner:
        seen = runner.run(run.whole(body, LONG))
        assert not clock.stats.real_wait
    return [(Fraction(when / TICK).limit_denominator(10**6), text) for when, text in seen]


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Let asyncio not tell of errors of which only the program knows."""
    logger = logging.getLogger("asyncio")
    logger.disabled = True
    yield
    logger.disabled = False


WAYS: dict[str, dict[str, Any]] = {
    "hooks": {"driver": "hooks"},
    "step": {"driver": "step"},
    "uvloop": {"uvloop": True},
    "threads": {"threads": True},
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=100, **QUICK)  # type: ignore[arg-type]
@given(data=st.data())
def test_times_and_order_are_those_of_a_plain_model(way: str, data: st.DataObject) -> None:
    if way == "uvloop" and importlib.util.find_spec("uvloop") is None:
        pytest.skip("there is no uvloop here")
    body = data.draw(statements(st.sampled_from(BUSY if way == "uvloop" else ZERO)))
    assert under_the_clock(body, **WAYS[way]) == modelled(body)


# --- the real loop -----------------------------------------------------------------------------------


def numbered(body: Body, left: list[int]) -> Body:
    """Give each delay of a program a number of its own, as long as there are some; drop the others."""
    found = []
    for statement in body:
        delay = statement.delay
        if delay:
            if not left:
                continue
            delay = left.pop(0)
        bodies = tuple(filter(None, (numbered(inner, left) for inner in statement.bodies)))
        if bodies or not statement.bodies:
            found.append(type(statement)(statement.kind, delay, statement.which, bodies))
    return tuple(found)


def in_real_time(body: Body) -> tuple[list[float], list[str]]:
    """Return what a program does on the stock loop in real time: the times in units, and the rest."""
    seen = asyncio.run(Run(lambda units: units * UNIT).whole(body, REAL_LIMIT))
    return [when / UNIT for when, _ in seen], [text for _, text in seen]


spaced = st.builds(
    lambda body, order: numbered(body, list(order)),
    statements(st.sampled_from((0, 1, 1, 1))),
    st.permutations(POWERS),
).filter(bool)


@settings(max_examples=40, **QUICK)  # type: ignore[arg-type]
@given(body=spaced)
def test_order_and_results_are_those_of_the_real_loop(body: Body) -> None:
    model = modelled(body, REAL_LIMIT)
    with FakeClock(), asyncio.Runner() as runner:
        seen = runner.run(Run(lambda units: units * UNIT).whole(body, REAL_LIMIT))
    assert [text for _, text in seen] == [text for _, text in model]
    assert [round(when / UNIT, 6) for when, _ in seen] == [when for when, _ in model]
    for _ in range(10):
        times, texts = in_real_time(body)
        late = [abs(real - exact) * UNIT for real, (exact, _) in zip(times, model, strict=False)]
        if max(late) < LATE or texts == [text for _, text in model]:
            break
        event("the machine was late")
    else:
        assume(False)  # no run of this one was on time
    assert texts == [text for _, text in model]


# --- would a fault be seen? --------------------------------------------------------------------------


def scrambled(patch: pytest.MonkeyPatch) -> None:
    """Let equal timers fire in the order of the heap."""
    patch.setattr(VirtualTimer, "__lt__", asyncio.TimerHandle.__lt__)


def early(patch: pytest.MonkeyPatch) -> None:
    """Let each timer fire a little early."""
    call_at = asyncio.base_events.BaseEventLoop.call_at

    def earlier(loop: Any, when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
        return call_at(loop, when - 1e-6, *args, **options)

    patch.setattr(asyncio.base_events.BaseEventLoop, "call_at", earlier)


def late(patch: pytest.MonkeyPatch) -> None:
    """Let time go a little beyond each timer."""
    from pytest_taskleak.loops.virtual import VirtualTime

    move = VirtualTime.move
    patch.setattr(VirtualTime, "move", lambda time, when: move(time, when + 1e-6))


def swapped(patch: pytest.MonkeyPatch) -> None:
    """Let what is due run before what was ready."""
    base: Any = asyncio.base_events.BaseEventLoop
    call_soon = base._call_soon

    def first(loop: Any, *args: Any) -> Any:
        handle = call_soon(loop, *args)
        loop._ready.rotate(1)
        return handle

    patch.setattr(base, "_call_soon", first)


@pytest.mark.parametrize("fault", [scrambled, early, late, swapped])
def test_a_fault_is_seen(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    timers = tuple(Statement("at", 3) for _ in range(10))
    hops = tuple((Statement("hop"), Statement("sleep", 3), Statement("hop")) for _ in range(3))
    body = (
        *timers,
        Statement("sleep", 2),
        Statement("gather", bodies=hops),
        Statement("timeout", 1, bodies=((Statement("wait"),),)),
    )
    assert under_the_clock(body, driver="hooks") == modelled(body)
    fault(monkeypatch)
    assert under_the_clock(body, driver="hooks") != modelled(body)
