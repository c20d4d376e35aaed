"""What a frame calls, read from its source and looked up without running anything."""

from __future__ import annotations

import ast
import linecache
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

from pytest_taskleak.adapt.acquired import acquired
from pytest_taskleak.adapt.expressions import (
    MISSING,
    call_at,
    item,
    resolve,
    segment,
    spelled,
    stored,
)


def here(depth: int = 1) -> types.FrameType:
    return sys._getframe(depth)


def calling(frame: types.FrameType) -> str:
    """The call in which a frame stands."""
    call = call_at(frame.f_code, frame.f_lasti)
    return "" if call is None else f"{ast.unparse(call.tree)}/{call.method}"


class Asks:
    """Tells how the caller calls it."""

    def __init__(self) -> None:
        self.seen = ""
        self.me = self

    def ask(self, *args: Any) -> Asks:
        self.seen = calling(here(2))
        return self

    def __enter__(self) -> None:
        self.ask2()

    def ask2(self) -> None:
        self.seen = calling(here(3))

    def __exit__(self, *args: object) -> None:
        self.ask3()

    def ask3(self) -> None:
        return None


def test_calls() -> None:
    asks = Asks()
    asks.ask()
    assert asks.seen == "asks.ask/ask"
    asks.me.me.ask(1, [2])
    assert asks.seen == "asks.me.me.ask/ask"
    asks.ask(
        1,
    )
    assert asks.seen == "asks.ask/ask"


def test_a_chain_over_several_lines_is_not_misread() -> None:
    asks = Asks()
    ask = asks.ask  # a name that the rest of the chain could be taken for
    (
        asks
        .me
        .ask()
    )  # fmt: skip
    assert asks.seen in ("", "asks.me.ask/ask")
    ask()
    assert asks.seen == "ask/"


def test_blocks() -> None:
    first, second = Asks(), Asks()
    with first, second.me:
        assert (first.seen, second.seen) == ("first/__enter__", "second.me/__enter__")


def test_columns_count_bytes() -> None:
    asks = Asks()
    text = "ä€𝄞"; asks.ask(text)  # noqa: E702  # fmt: skip
    assert asks.seen == "asks.ask/ask"


def test_no_source() -> None:
    code = compile("f()", "<nowhere>", "eval")
    assert segment(code, 4) == ""
    assert call_at(code, 4) is None
    assert call_at(code, -1) is None
    assert call_at(code, 9999) is None


def test_a_loader_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise AssertionError("asked")

    code = compile("f()", "no-such-file.py", "eval")
    monkeypatch.setitem(linecache.cache, "no-such-file.py", (fail,))
    assert segment(code, 4) == ""


class Slots:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = "slot"


class Private:
    shared = "class"

    def __init__(self) -> None:
        self.__lock = "private"
        self.table: dict[Any, Any] = {"a": ["x", {1: "deep"}], 2: "two"}
        assert self.__lock

    @property
    def asked(self) -> str:
        raise AssertionError("asked")

    def look(self, tell: Callable[[types.FrameType], Any]) -> Any:
        assert self.__lock
        return tell(here())


OUTSIDE = "global"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("self.__lock", "private"),
        ("self.shared", "class"),
        ("self.table['a'][0]", "x"),
        ("self.table['a'][1][1]", "deep"),
        ("self.table[2]", "two"),
        ("self.table['z']", MISSING),
        ("self.table['a'][-1]", MISSING),  # no constant to the compiler's tree
        ("self.table['a'][7]", MISSING),
        ("self.asked", MISSING),
        ("self.look", MISSING),
        ("self.nothing", MISSING),
        ("self.look()", MISSING),
        ("nothing", MISSING),
        ("len", MISSING),
        ("OUTSIDE", "global"),
        ("threading.TIMEOUT_MAX", threading.TIMEOUT_MAX),
        ("3", 3),
        ("[1][0]", MISSING),
    ],
)
def test_looking_up(text: str, value: object) -> None:
    tree = ast.parse(text, mode="eval").body
    found = Private().look(lambda frame: resolve(tree, frame))
    assert found is value or found == value


def test_stored() -> None:
    assert stored(Slots(), "lock") == "slot"
    assert stored(Slots, "lock") is MISSING
    assert stored(Private, "shared") == "class"
    assert stored(threading, "Lock") is threading.Lock
    assert stored(None, "x") is MISSING


class Key:
    def __init__(self, like: object) -> None:
        self.like = like

    def __hash__(self) -> int:
        return hash(self.like)

    def __eq__(self, other: object) -> bool:
        raise AssertionError("asked")


def test_items() -> None:
    assert item({Key("a"): 1}, "a") is MISSING
    assert item((1, 2), -1) == 2
    assert item([1], "0") is MISSING
    assert item({True: "true"}, 1) is MISSING
    assert item(types.SimpleNamespace(), "a") is MISSING


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a", "a"),
        ("self.b.c", "self.b.c"),
        ("a['x'][i].b", "a['x'][i].b"),
        ("a().b", ""),
        ("a[b()].c", ""),
        ("(a or b).c", ""),
        ("x" * 61, ""),
    ],
)
def test_spelled(text: str, told: str) -> None:
    assert spelled(ast.parse(text, mode="eval").body) == told


LOCK, OTHER = threading.Lock(), threading.Lock()


def taken(frame: types.FrameType) -> list[str]:
    return [ast.unparse(taking.tree) for taking in acquired(frame.f_code, frame.f_lasti)]


def test_acquired() -> None:
    assert taken(here()) == []
    LOCK.acquire()
    try:
        assert taken(here()) == ["LOCK"]
        OTHER.acquire()
        assert taken(here()) == ["LOCK", "OTHER"]
        OTHER.release()
        assert taken(here()) == ["LOCK"]
    finally:
        LOCK.release()
    assert taken(here()) == []


def branches(which: int, tell: Callable[[types.FrameType], Any]) -> Any:
    if which == 0:
        LOCK.acquire()
        told = tell(here())
        LOCK.release()
    elif which == 1:
        told = tell(here())  # after the lines above, but not by way of them
    else:
        for lock in (LOCK, OTHER):
            lock.acquire()
            if which == 2:
                lock.release()
                continue
            told = tell(here())
            lock.release()
        told = tell(here())
    return told


@pytest.mark.parametrize(
    ("which", "told"), [(0, [["LOCK"]]), (1, [[]]), (2, [[]]), (3, [["lock"], ["lock"], []])]
)
def test_acquired_on_every_way(which: int, told: list[list[str]]) -> None:
    seen: list[list[str]] = []

    def tell(frame: types.FrameType) -> None:
        seen.append(taken(frame))

    branches(which, tell)
    assert seen == told


def test_a_name_with_a_new_value() -> None:
    lock = LOCK
    lock.acquire()
    assert taken(here()) == ["lock"]
    lock = OTHER
    assert taken(here()) == []
    LOCK.release()
    assert lock is OTHER


def test_acquired_only_without_conditions() -> None:
    assert LOCK.acquire(timeout=1)
    assert taken(here()) == []
    LOCK.release()
