"""Timers: which are armed, which are innocent, and how are they told?"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import sys
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncio_

LOOPS: dict[str, Any] = {"asyncio": asyncio}
with contextlib.suppress(ImportError):  # before any watch: what is imported in a test is not seen in it
    LOOPS["uvloop"] = importlib.import_module("uvloop")

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of either kind."""
    made: asyncio.AbstractEventLoop = LOOPS[request.param].new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    asyncio_.turn(made, 3)
    made.close()


class Job:
    """Has something to do later."""

    def tick(self, *args: Any) -> None:
        """Do nothing."""


def test_armed_until_fired_or_cancelled(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    later = loop.call_later(3600, print)
    at = loop.call_at(loop.time() + 3600, print)
    fired: list[int] = []
    due = loop.call_later(0.001, fired.append, 1)
    assert set(lab.live("timer")) == {later, at, due}
    loop.run_until_complete(asyncio.sleep(0.02))
    assert fired == [1]
    later.cancel()
    assert lab.live("timer") == [at]
    at.cancel()
    assert lab.live("timer") == []


def test_ready_callbacks_are_no_timers(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(print)
    assert lab.live("timer") == []


def test_timers_of_tasks_are_theirs(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        async with asyncio.timeout(3600):
            await asyncio.wait_for(asyncio.sleep(3600), 3600)

    loop.create_task(main())
    loop.create_task(asyncio.wait([loop.create_task(asyncio.sleep(3600))], timeout=3600))
    asyncio_.turn(loop, 5)
    assert lab.live("timer") == []


@pytest.mark.parametrize(
    ("callback", "what"),
    [
        (Job().tick, "Job.tick"),
        (functools.partial(Job().tick, 1), "Job.tick"),
        (functools.partial(functools.partial(print, 1), 2), "print"),
        (print, "print"),
        (Job, "Job"),
        (test_ready_callbacks_are_no_timers, "test_ready_callbacks_are_no_timers"),
    ],
)
def test_describe(lab: Lab, loop: asyncio.AbstractEventLoop, callback: Any, what: str) -> None:
    handle = loop.call_later(3600, callback)
    told = lab.detector("timer").describe(handle)
    assert (told.code, told.what) == ("TL201", what)
    assert told.state == "is still scheduled"
    assert told.waits_for.startswith("its time")
    assert lab.detector("timer").patience(handle) == pytest.approx(3600, abs=5)
    assert lab.detector("timer").loop(handle) is loop
    lab.detector("timer").remove(handle)
    assert handle.cancelled()


def test_harmless_timers(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    job = Job()
    loop.call_later(3600, loop.stop)
    loop.call_later(3600, print, weakref.ref(job))
    assert lab.live("timer") == []


class Protocol(asyncio.Protocol):
    """Arms a timer for its connection."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def keep_alive(self) -> None:
        """Do nothing."""


class Transport(asyncio.Transport):
    """Open until it is closed."""

    open = True

    def is_closing(self) -> bool:
        return not self.open


def test_timers_of_open_connections_are_theirs(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    transport = Transport()
    handle = loop.call_later(3600, Protocol(transport).keep_alive)
    assert lab.live("timer") == []
    transport.open = False
    assert lab.live("timer") == [handle]


def test_periodic_timer_is_told_at_its_newest(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    ticks: list[asyncio.TimerHandle] = []

    def tick() -> None:
        ticks.append(loop.call_later(0.001 if len(ticks) < 3 else 3600, tick))

    tick()
    loop.run_until_complete(asyncio.sleep(0.05))
    assert lab.live("timer") == ticks[-1:]


def test_patience_ends_with_the_loop(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    handle = loop.call_later(3600, print)
    detector = lab.detector("timer")
    loop.close()
    if detector.alive(handle):
        assert detector.patience(handle) == float("inf")
        assert detector.describe(handle).waits_for == "a loop that is closed"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_timers_made_in_callbacks(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(lambda: loop.call_later(3600, print))
    asyncio_.turn(loop, 2)
    assert len(lab.live("timer")) == 1
