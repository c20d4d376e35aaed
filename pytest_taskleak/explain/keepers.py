"""Where may a search for holders begin, and at what does it end?

Fixtures, modules, the local variables of what runs, the coroutines of live tasks and the handles of a loop
keep what they lead to for as long as they live themselves.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import (
    AsyncGeneratorType,
    BuiltinMethodType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
)
from typing import Any

from pytest_taskleak.adapt.asyncio_ import (
    coro_of,
    handle_parts,
    loop_of,
    loop_of_handle,
    running_loop,
    tasks_of,
)
from pytest_taskleak.adapt.code import HARNESS, LIBRARY, PACKAGE, USER, kind_of, names_of
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.explain.anatomy import bare_name, exactly, type_name
from pytest_taskleak.explain.paths import Short, place
from pytest_taskleak.safely import is_a, module_name

MODULE, CLASS, FIXTURE, LOCAL, THREAD, TASK, LOOP, REMEMBERED = range(8)
"""Ranks: which of two equally short chains is told first."""

TRANSPORT = "a transport of the event loop"
HANDLES = ("Handle", "TimerHandle")
HARNESSES = frozenset({"_pytest", "pluggy", "pytest", "pytest_asyncio", "pytest_taskleak"})
REGISTRIES = ("asyncio", "concurrent.futures", "threading", "weakref", "gc")
"""Modules whose own tables hold every task or thread there is."""
MOST_FRAMES = 60
MOST_TASKS = 300
MOST_HANDLES = 200
LOOP_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Start:
    """A place that keeps things.

    Parameters:
        thing: the object at which the chain begins.
        text: what it is called; worked out only for what is told.
        name: see `paths.Step`.
        rank: see `MODULE` and following.
    """

    thing: Any
    text: Callable[[], str]
    name: str | None = ""
    rank: int = LOCAL


def fixed(text: str) -> Callable[[], str]:
    """Return a function that returns a text."""
    return lambda: text


def of_modules(names: Iterable[str]) -> Iterator[Start]:
    """Yield the modules of these names that are imported."""
    for name in names:
        module = sys.modules.get(name)
        if module is not None and names_of(module):
            yield Start(module, fixed(name), None, MODULE)


def modules_of(kind: int) -> list[str]:
    """Return the names of the imported modules that are of one kind, `USER` or `LIBRARY`."""
    return [name for name in list(sys.modules) if is_of(name, kind)]


def is_of(name: str, kind: int) -> bool:
    """Tell whether a module is imported and of this kind."""
    path = names_of(sys.modules.get(name)).get("__file__")
    return type(path) is str and kind_of(path) == kind


def of_frames(short: Short) -> Iterator[Start]:
    """Yield the local variables of all running frames that are no harness's and not the watcher's."""
    mine = threading.get_ident()
    threads = {thread.ident: thread for thread in threading.enumerate()}
    top: FrameType | None = None
    frame: FrameType | None = None
    try:
        for ident, top in current_frames().items():
            known = threads.get(ident) if ident != mine else None
            where = "" if known is None else f" in {thread_words(known)}"
            frame = top
            for _ in range(MOST_FRAMES):
                if frame is None:
                    break
                if kind_of(frame.f_code.co_filename) in (USER, LIBRARY):
                    # That a thread runs a method of its own is no reason why it is left.
                    found = of_frame(frame, where, short)
                    yield from (start for start in found if start.thing is not threads.get(ident))
                frame = frame.f_back
    finally:
        top = frame = None  # one of them is this very frame: it would keep itself and what callers hold


def of_frame(frame: FrameType, where: str, short: Short) -> Iterator[Start]:
    """Yield the local variables of one running frame."""
    if frame.f_locals is frame.f_globals:
        return
    code, line = frame.f_code, place(frame, short)
    for name, value in dict(frame.f_locals).items():
        text = f"local {name!r} of {code.co_qualname} ({line}){where}"
        yield Start(value, fixed(text), name, LOCAL)


def thread_words(thread: threading.Thread) -> str:
    """Name a thread; a subclass of the user is not asked."""
    name = threading.Thread.name.__get__(thread)  # type: ignore[attr-defined]
    return f"thread {name!r}"


def loops_of(targets: Iterable[Any]) -> list[Any]:
    """Return the loops of some tasks and handles, and the one that runs just now."""
    running = running_loop()
    found: dict[int, Any] = {} if running is None else {id(running): running}
    for target in targets:
        loop = loop_of(target) if is_a(target, asyncio.Future) else None
        loop = loop_of_handle(target) if is_handle(target) else loop
        if loop is not None:
            found[id(loop)] = loop
    return list(found.values())


def of_tasks(loops: Iterable[Any], but: set[int]) -> Iterator[Start]:
    """Yield the coroutines of the pending tasks of some loops.

    Parameters:
        loops: event loops.
        but: ids of tasks that are left out.
    """
    for loop in loops:
        for task in tasks_of(loop)[:MOST_TASKS]:
            if id(task) not in but:
                yield of_task(task)


def of_task(task: Any) -> Start:
    """Return the coroutine of a task as a place that keeps things."""
    return Start(coro_of(task), fixed(task_words(task)), "", TASK)


def task_words(task: Any) -> str:
    """Name a task."""
    try:
        return f"task {asyncio.Task.get_name(task)!r}"
    except TypeError:  # a class of tasks that is not asyncio's
        return "a task"


def of_handles(loop: Any) -> Iterator[Start]:
    """Yield the timers, ready callbacks and readers of a loop, whatever its make.

    The loop's own containers are walked, not its private names: uvloop has none.
    """
    level, seen, count = [loop], {id(loop)}, 0
    for _ in range(LOOP_DEPTH):
        following: list[Any] = []
        for referent in gc.get_referents(*level):
            if id(referent) in seen or count >= MOST_HANDLES:
                continue
            seen.add(id(referent))
            if is_handle(referent):
                count += 1
                yield of_handle(referent)
            elif is_loops_own(referent):
                following.append(referent)
        level = following


def is_loops_own(thing: Any) -> bool:
    """Tell whether a thing is part of a loop's bookkeeping."""
    if is_a(thing, (list, dict, set, tuple, deque)):
        return True
    return module_name(type(thing)).partition(".")[0] in ("selectors", "uvloop") and not is_a(thing, type)


def is_handle(thing: Any) -> bool:
    """Tell whether a thing is a callback that a loop has yet to run."""
    if is_a(thing, asyncio.Handle):
        return True
    kind = type(thing)
    return bare_name(kind) in HANDLES and module_name(kind).startswith("uvloop")


def of_handle(handle: Any) -> Start:
    """Return a handle as a place that keeps things."""
    return Start(handle, lambda: handle_words(handle), "", LOOP)


def handle_words(handle: Any) -> str:
    """Say when a loop will run a handle, and what."""
    callback = handle_parts(handle)[0]
    if type(callback) is MethodType and is_a(callback.__self__, asyncio.BaseTransport):
        return TRANSPORT
    name = callback_name(callback)
    what = f" ({name})" if name else ""
    if not is_a(handle, asyncio.TimerHandle) and bare_name(type(handle)) != "TimerHandle":
        return f"the event loop: a callback that it will run{what}"
    return f"a timer of the event loop{what}"


def callback_name(callback: Any) -> str:
    """Return the qualified name of a function or method; empty for any other callable."""
    function = callback.__func__ if type(callback) is MethodType else callback
    known = exactly(function, (FunctionType, BuiltinMethodType))
    return function.__qualname__ if known and not function.__name__.startswith("_") else ""


def end_at(thing: Any) -> Start | None:
    """Return a place that keeps things if a referrer is one, so that a search backwards ends there."""
    kind = type(thing)
    if kind is dict:
        name = module_of_dict(thing)
        return Start(sys.modules[name], fixed(name), None, MODULE) if name else None
    if is_a(thing, type):
        return Start(thing, fixed(f"{module_name(thing)}.{type_name(thing)}"), None, CLASS)
    if module_name(kind) == "_pytest.fixtures" and bare_name(kind) == "FixtureDef":
        return Start(thing, fixed(fixture_words(thing)), "", FIXTURE)
    if is_a(thing, threading.Thread):
        return Start(thing, fixed(thread_words(thing)), "", THREAD)
    if is_a(thing, asyncio.Task):
        return Start(thing, fixed(task_words(thing)), "", TASK)
    if is_handle(thing):
        return of_handle(thing)
    if is_a(thing, logging.LogRecord):
        return Start(thing, fixed("a log record"), "", REMEMBERED)
    if kind is FrameType:
        return Start(thing, fixed("a traceback"), "", REMEMBERED)
    return None


def fixture_words(fixturedef: Any) -> str:
    """Name a fixture of pytest."""
    return f"fixture {fixturedef.argname!r} ({fixturedef.scope})"


def module_of_dict(names: dict[Any, Any]) -> str:
    """Return the name of the module whose names these are, or nothing."""
    name = names.get("__name__") if "__spec__" in names else None
    return name if type(name) is str and names_of(sys.modules.get(name)) is names else ""


def passes_by(thing: Any) -> bool:
    """Tell whether a referrer is the watcher's, the harness's, or a table of everything there is."""
    kind = type(thing)
    module = module_name(kind)
    if module.partition(".")[0] in HARNESSES:
        return bare_name(kind) != "FixtureDef"
    if is_a(thing, asyncio.AbstractEventLoop):
        return True
    if kind is dict:
        return is_registry(module_of_dict(thing))
    if kind is FunctionType or is_a(thing, type):
        return is_registry(module_name(thing) if is_a(thing, type) else str(thing.__module__))
    code = code_of(thing)
    return code is not None and (kind_of(code.co_filename) == HARNESS or code.co_filename.startswith(PACKAGE))


def is_registry(module: str) -> bool:
    """Tell whether a module keeps a table of everything there is."""
    return any(module == name or module.startswith(f"{name}.") for name in REGISTRIES)


def code_of(thing: Any) -> CodeType | None:
    """Return the code that a frame, coroutine or generator runs."""
    for kind, name in (
        (FrameType, "f_code"),
        (CoroutineType, "cr_code"),
        (GeneratorType, "gi_code"),
        (AsyncGeneratorType, "ag_code"),
    ):
        if type(thing) is kind:
            code: CodeType = getattr(thing, name)
            return code
    return None
