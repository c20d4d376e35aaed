"""Watches one kind at a time, with nothing of pytest in between."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from pytest_taskleak.detectors import built_in
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy


class Lab:
    """A watch with one scope open."""

    def __init__(self) -> None:
        self.detectors = {d.kind: d for d in built_in()}
        self.watch = Watch(built_in(), Policy(detect=frozenset(self.detectors), grace=0.05), name="lab")
        self.scope = Scope("block", "lab", parent=self.watch.session, watch=self.watch)

    def live(self, kind: str | None = None) -> list[Any]:
        """Return the things of a kind that were born here and live."""
        left = self.watch.live(self.scope, self.watch.policy)
        return [item.thing for item in left if kind in (None, item.detector.kind)]

    def detector(self, kind: str) -> Detector:
        """Return the detector of a kind."""
        return self.detectors[kind]


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A watch with one scope open."""
    made = Lab()
    begin(made.watch)
    yield made
    made.watch.stop()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let the lab answer for what its test makes; the plugin that watches us has set up the test by now."""
    lab = getattr(item, "funcargs", {}).get("lab")
    if isinstance(lab, Lab):
        lab.watch.enter(lab.scope)
    return (yield)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is turned by hand."""
    made = asyncio.new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    made.run_until_complete(asyncio.sleep(0))
    made.run_until_complete(asyncio.sleep(0))
    made.run_until_complete(made.shutdown_default_executor())
    made.close()
