"""How are births written down, and forgotten again?"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

import pytest

from pytest_taskleak.adapt import code
from pytest_taskleak.adapt.code import FILES, HARNESS, LIBRARY, LOOP, SKIP, USER, classify
from pytest_taskleak.engine import births
from pytest_taskleak.engine.births import Births, Entry, walk
from pytest_taskleak.explain.birth import library_of, resolve, shorten
from pytest_taskleak.model import Birth, Frame


class Thing:
    """Anything that can be referred to weakly."""


def filled(things: list[Thing]) -> Births:
    """Return births of these things."""
    found = Births()
    for thing in things:
        found.append(Entry(thing))
    return found


def test_shrink_forgets_the_dead() -> None:
    things = [Thing() for _ in range(100)]
    found = filled(things)
    alive = things[::10]
    del things
    found.shrink()
    assert [entry() for entry in found] == alive
    assert found.limit == births.SMALLEST


def test_shrink_sets_the_limit_at_twice_the_rest() -> None:
    things = [Thing() for _ in range(200)]
    found = filled(things)
    found.shrink()
    assert found.limit == 400
    assert len(found) == 200


def test_shrink_is_skipped_while_another_shrinks() -> None:
    found = filled([Thing()])
    with births._lock:
        found.shrink()
    assert len(found) == 1
    found.shrink()
    assert len(found) == 0


def test_growth_is_bounded() -> None:
    found = Births()
    for _ in range(5000):
        found.append(Entry(Thing()))
        if len(found) > found.limit:
            found.shrink()
    assert len(found) <= births.SMALLEST + 1


def test_entries_keep_nothing_alive() -> None:
    thing = Thing()
    entry = Entry(thing)
    assert entry() is thing
    del thing
    assert entry() is None


# --- walking the stack ------------------------------------------------------------------------------


def here(depth: int = 0) -> Any:
    """Walk from this very frame, so many calls deep."""
    return here(depth - 1) if depth else walk(sys._getframe())


def names(frames: tuple[Any, ...]) -> list[str]:
    """Return the functions of a walk."""
    return [c.co_name for c in frames[::2]]


def test_walk_finds_the_users_frames() -> None:
    frames, mine, harness = here()
    assert names(frames)[:2] == ["here", "test_walk_finds_the_users_frames"]
    assert mine
    assert not harness


def test_walk_stops_after_a_few() -> None:
    frames, _, _ = here(50)
    assert names(frames) == ["here"] * births.MOST_USER


def test_walk_stops_at_the_loop() -> None:
    found: list[Any] = []

    async def inside() -> None:
        found.append(here())

    asyncio.run(inside())
    assert names(found[0][0]) == ["here", "inside"]


def test_walk_of_a_bare_thread() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(walk(sys._getframe())))
    thread.start()
    thread.join()
    assert names(found[0][0]) == ["<lambda>"]


def test_walk_of_nothing() -> None:
    assert walk(None)[:2] == ((), False)


def test_walk_tells_library_and_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, __file__, LIBRARY)
    frames, mine, harness = here(10)
    assert len(names(frames)) == births.MOST_LIBRARY
    assert not mine
    assert harness  # pytest called it, and no code of the user
    monkeypatch.setitem(FILES, __file__, HARNESS)
    assert here() == ((), False, True)


def test_frames_are_resolved_to_lines() -> None:
    frames, _, _ = here()
    first, second = resolve(frames)[:2]
    assert (first.qualname, first.path, first.role) == ("here", __file__, "project")
    assert first.line == here.__code__.co_firstlineno + 2
    assert second.line == test_frames_are_resolved_to_lines.__code__.co_firstlineno + 1


# --- files ------------------------------------------------------------------------------------------

STDLIB = os.path.dirname(os.__file__)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (__file__, USER),
        ("/project/app/poller.py", USER),
        ("relative.py", USER),
        ("<stdin>", USER),
        ("<doctest a.md[0]>", USER),
        ("<string>", SKIP),
        ("<frozen importlib._bootstrap>", SKIP),
        (os.path.join(STDLIB, "threading.py"), SKIP),
        (os.path.join(STDLIB, "asyncio", "locks.py"), SKIP),
        (os.path.join(STDLIB, "asyncio", "base_events.py"), LOOP),
        (os.path.join(STDLIB, "asyncio", "runners.py"), LOOP),
        (os.path.join(STDLIB, "unittest", "case.py"), HARNESS),
        (os.path.join(STDLIB, "site-packages", "aiohttp", "client.py"), LIBRARY),
        (os.path.join(STDLIB, "site-packages", "pytest_asyncio", "plugin.py"), HARNESS),
        (os.path.join(STDLIB, "site-packages", "anyio", "pytest_plugin.py"), HARNESS),
        (os.path.join(STDLIB, "site-packages", "anyio", "abc.py"), LIBRARY),
        ("/usr/lib/python3/dist-packages/six.py", LIBRARY),
        ("/editor/bundled/libs/debugpy/server/api.py", HARNESS),
        ("/editor/pydev/pydevd.py", HARNESS),
        (os.path.join(STDLIB, "site-packages", "pytest_timeout.py"), HARNESS),
        ("/project/coverage/report.py", USER),
        (os.path.join(code.PACKAGE, "plugin.py"), SKIP),
    ],
)
def test_classify(path: str, kind: int) -> None:
    assert classify(path) == kind


def test_claimed_files_are_the_users() -> None:
    path = os.path.join(STDLIB, "site-packages", "claimed_for_a_test", "tests", "test_it.py")
    assert code.kind_of(path) == LIBRARY
    code.claim([path])
    assert code.kind_of(path) == USER


def test_paths_are_told_as_readers_know_them() -> None:
    root = os.path.abspath(os.sep + "project")
    assert shorten(os.path.join(root, "app", "a.py"), root) == "app/a.py"
    assert shorten(os.path.join(root, "venv", "site-packages", "lib", "a.py"), root) == "lib/a.py"
    assert shorten(root + "-other/a.py", root) == root + "-other/a.py"


def test_library_of_a_birth() -> None:
    path = os.path.join(os.path.dirname(pytest.__file__), "__init__.py")
    library = Frame(path=path, line=1, qualname="f", role="library")
    mine = Frame(path="a.py", line=1, qualname="g")
    assert library_of(Birth(frames=(library,))) == f"pytest {pytest.__version__}"
    assert library_of(Birth(frames=(library, mine))) is None
    assert library_of(Birth(frames=(library,), ancestor=(mine,))) is None
    assert library_of(Birth()) is None
