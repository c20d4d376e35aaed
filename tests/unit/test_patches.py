"""Is every patch put back, whoever patches besides?"""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_taskleak.conformance.world import alone
from pytest_taskleak.detectors import built_in
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.patch import Patches
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy


class Place:
    """A class with something to patch."""

    def method(self) -> str:
        return "original"


class Heir(Place):
    """Inherits what is patched."""


class Marking(Detector):
    """Patches `Place` and what is added to `more`."""

    kind = "mark"

    def __init__(self, *targets: type) -> None:
        self.targets = list(targets)

    def patches(self, recorder: Recorder) -> Iterator[Patch]:
        def wrap(original: Callable[..., str]) -> Callable[..., str]:
            def method(self: Any) -> str:
                return f"marked {original(self)}"

            return method

        yield Patch(lambda: self.targets, "method", wrap, "marks")
        yield Patch(lambda: self.targets, "absent", wrap, "what is absent")
        yield Patch(list, "method", wrap, "what is not imported")


def closing(loop: Any, event: str) -> bool:
    """Do nothing when a loop closes."""
    return False


@pytest.fixture
def patches() -> Iterator[Patches]:
    made = Patches()
    yield made
    assert made.users == 0
    assert vars(Place)["method"].__qualname__ == "Place.method"
    assert "method" not in vars(Heir)


def test_undone_by_the_last_user(patches: Patches) -> None:
    before = vars(Place)["method"]
    patches.install([Marking(Place)], closing)
    patches.install([], closing)
    assert Place().method() == "marked original"
    assert Place.method.__name__ == "method"
    patches.uninstall()
    assert Place().method() == "marked original"
    patches.uninstall()
    assert vars(Place)["method"] is before


def test_inherited_attributes_are_removed_again(patches: Patches) -> None:
    patches.install([Marking(Heir)], closing)
    assert Heir().method() == "marked original"
    assert Place().method() == "original"
    patches.uninstall()
    assert "method" not in vars(Heir)


def test_a_later_wrapper_of_others_stays(patches: Patches, monkeypatch: pytest.MonkeyPatch) -> None:
    patches.install([Marking(Place)], closing)
    with monkeypatch.context() as theirs:
        ours = Place.method
        theirs.setattr(Place, "method", lambda self: f"theirs {ours(self)}")
        assert Place().method() == "theirs marked original"
    patches.uninstall()
    assert Place().method() == "original"


def test_what_is_missing_is_told(patches: Patches) -> None:
    patches.install([Marking(Place)], closing)
    assert "what is absent" in patches.missing()
    assert "what is not imported" not in patches.missing()
    patches.uninstall()


def test_what_is_imported_later_is_patched(patches: Patches) -> None:
    marking = Marking()
    patches.install([marking], closing)
    assert Place().method() == "original"
    marking.targets.append(Place)
    patches.modules = -1
    patches.refresh()
    assert Place().method() == "marked original"
    patches.uninstall()


def test_a_second_user_with_more_detectors(patches: Patches) -> None:
    patches.install([], closing)
    patches.install([Marking(Place)], closing)
    told = Place().method()
    patches.uninstall()
    patches.uninstall()
    assert told == "marked original"


def test_kinds_that_are_not_watched_replace_nothing() -> None:
    """Only those that lead to the owners of other things are seen in any case."""
    with alone():  # without the watch over this very test
        bare = replaced()
        watch = Watch(built_in(), Policy(detect=frozenset({"timer"})))
        begin(watch)
        try:
            narrow = replaced()
            watch.widen({"socket"})
            wide = replaced()
        finally:
            watch.stop()
        after = replaced()
    assert [now is before for now, before in zip(narrow, bare, strict=True)] == [False, True, True]
    assert [now is before for now, before in zip(wide, bare, strict=True)] == [False, False, True]
    assert after == bare


def replaced() -> tuple[Any, Any, Any]:
    """Return what is there now of what the kinds task, socket and process replace."""
    return asyncio.BaseEventLoop.create_task, socket.socket.__init__, subprocess.Popen.__init__
