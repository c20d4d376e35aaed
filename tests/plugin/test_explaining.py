"""Is every leak explained, at what price, and does a fault of the explanation stay without effect?"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak import timing
from pytest_taskleak.engine import diagnosing
from pytest_taskleak.engine.diagnosing import MOST
from pytest_taskleak.explain import proof

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

PROGRAMS = """
async def waits(thing):
    await (thing.wait() if isinstance(thing, asyncio.Event) else thing)

async def transfer(source, target):
    async with source:
        await asyncio.sleep(0)
        async with target:
            pass

async def turns(times=4):
    for _ in range(times):
        await asyncio.sleep(0)
"""
STUCK = """
    async def test_leaks():
        asyncio.create_task(waits(asyncio.Event()), name="left")
        await turns()
"""
KNOWN = """
    async def test_leaks():
        GATES.append(asyncio.Event())
        asyncio.create_task(waits(GATES[0]), name="left")
        await turns()
"""
LOCKS = """
    async def test_locks():
        one, two = asyncio.Lock(), asyncio.Lock()
        asyncio.create_task(transfer(one, two), name="ab")
        asyncio.create_task(transfer(two, one), name="ba")
        await turns()
"""


@pytest.fixture
def programs(suite: Suite) -> Suite:
    """A suite to whose tests `PROGRAMS` are known."""
    suite.write(conftest="")
    wrapped = suite.write

    def write(tests: str = "", **files: Any) -> None:
        from tests.conftest import PRELUDE

        wrapped(tests, prelude=PRELUDE + PROGRAMS, **files)

    suite.write = write  # type: ignore[method-assign]
    return suite


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds of each wait of the watcher, as far as it waited at all."""
    waited: list[float] = []
    original = timing.pause

    def pause(seconds: float) -> None:
        if seconds:
            waited.append(seconds)
        original(seconds)

    monkeypatch.setattr(timing, "pause", pause)
    return iter([waited])  # type: ignore[list-item]


def diagnosis(done: Done, name: str) -> dict[str, Any]:
    """Return the diagnosis of the one finding of this name."""
    (found,) = [f for f in done.findings() if f["name"] == name]
    told: dict[str, Any] = found["diagnosis"]
    return told
