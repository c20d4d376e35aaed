"""What does a fixture's value keep?"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_taskleak.judge import adoption
from pytest_taskleak.judge.adoption import kept_by_module, reaches


class Box:
    """Keeps something."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def method(self) -> None:
        """Do nothing."""


class Slotted:
    """Keeps something in a slot."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content


class Target:
    """What is looked for."""


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        Box,
        Slotted,
        lambda x: [x],
        lambda x: {"a": (x,)},
        lambda x: {x},
        lambda x: Box([Slotted({"deep": x})]),
        lambda x: lambda: x,
        lambda x: functools.partial(print, x),
        lambda x: Box(x).method,
        lambda x: (y for y in [x]),
    ],
    ids=["itself", "box", "slot", "list", "dict", "set", "deep", "closure", "partial", "method", "generator"],
)
def test_reached(wrap: Any) -> None:
    target = Target()
    assert reaches(wrap(target), [target])


def test_not_reached() -> None:
    target = Target()
    assert not reaches(Box(Target()), [target])
    assert not reaches(None, [target])
    assert not reaches(Box(target), [])


def test_futures_loops_and_contexts_are_not_passed_through(loop: asyncio.AbstractEventLoop) -> None:
    target = Target()
    future = loop.create_future()
    future.set_result(target)
    context = contextvars.copy_context()
    variable: contextvars.ContextVar[Target] = contextvars.ContextVar("variable")
    context.run(variable.set, target)
    handle = loop.call_soon(print, target)
    assert not reaches(future, [target])
    assert not reaches(context, [target])
    assert not reaches(loop, [target])
    assert reaches(Box(future), [future])
    handle.cancel()


def test_modules_and_classes_are_not_passed_through() -> None:
    target = Target()
    module = types.ModuleType("keeping")
    module.target = target  # type: ignore[attr-defined]
    kind = type("Keeping", (), {"target": target})
    assert not reaches(module, [target])
    assert not reaches(kind, [target])
    assert not reaches(kind(), [target])


def test_a_function_keeps_no_globals() -> None:
    assert not reaches(test_not_reached, [Box])


def test_circles_end() -> None:
    box = Box(None)
    box.content = box
    assert not reaches(box, [Target()])


def test_the_search_is_bounded() -> None:
    target = Target()
    deep: Any = target
    for _ in range(adoption.MOST_DEPTH + 5):
        deep = [deep]
    assert not reaches(deep, [target])
    wide = [[object()] for _ in range(adoption.MOST_OBJECTS + 10)]
    assert not reaches([wide, *wide], [target])


def test_no_code_of_the_user_runs() -> None:
    class Angry:
        def __getattribute__(self, name: str) -> Any:
            return pytest.fail(f"asked for {name}")

        def __eq__(self, other: object) -> bool:
            return pytest.fail("compared")

        def __hash__(self) -> int:
            return pytest.fail("hashed")

    assert not reaches([Angry()], [Target()])


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Return a module that is imported for this test."""
    made = types.ModuleType("taskleak_keeper")
    monkeypatch.setitem(sys.modules, "taskleak_keeper", made)
    return made


@pytest.mark.parametrize(
    ("wrap", "kept"),
    [
        (lambda x: x, True),
        (Box, True),
        (lambda x: type("Kind", (), {"single": x}), True),
        (lambda x: [x], False),
        (lambda x: {"a": x}, False),
        (lambda x: Box([x]), False),
        (lambda x: Box(Box(x)), False),
    ],
    ids=["global", "object", "class", "list", "dict", "list-in-object", "too-deep"],
)
def test_singletons(module: types.ModuleType, wrap: Any, kept: bool) -> None:
    target = Target()
    module.keeper = wrap(target)  # type: ignore[attr-defined]
    assert kept_by_module([target], ["taskleak_keeper"]) is kept
    assert not kept_by_module([target], ["json", "not_imported"])
