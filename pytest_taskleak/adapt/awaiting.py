"""What does a suspended task wait for, from its outermost coroutine down to the primitive?

The links are `cr_await`, `ag_await` and `gi_yieldfrom`; those that hide their target
(`async_generator_asend`, `coroutine_wrapper`, `FutureIter`, …) are solved by their referents.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import inspect
from collections.abc import Iterable, Iterator
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.adapt.code import ASYNCIO, LIBRARY, USER, kind_of, module_of
from pytest_taskleak.model import Frame, Role
from pytest_taskleak.safely import is_a

MOST_LINKS = 60
MOST_TASKS = 5
FUTURES = (asyncio.Future, concurrent.futures.Future)
LINKS = (
    (CoroutineType, "cr_frame", "cr_await"),
    (AsyncGeneratorType, "ag_frame", "ag_await"),
    (GeneratorType, "gi_frame", "gi_yieldfrom"),
)
CODES = ((CoroutineType, "cr_code"), (AsyncGeneratorType, "ag_code"), (GeneratorType, "gi_code"))
ROLES: dict[int, Role] = {USER: "project", LIBRARY: "library"}


def frame_at(code: CodeType, line: int) -> Frame:
    """Return the plain value of a code object and a line; the path is the file's own."""
    role = ROLES.get(kind_of(code.co_filename), "machinery")
    return Frame(path=code.co_filename, line=line, qualname=code.co_qualname, role=role)


def links(awaitable: Any) -> Iterator[FrameType]:
    """Yield the frames of an await chain, the outermost first."""
    for _ in range(MOST_LINKS):
        for kind, frame_name, next_name in LINKS:
            if is_a(awaitable, kind):
                frame = getattr(awaitable, frame_name)
                if frame is not None:
                    yield frame
                awaitable = getattr(awaitable, next_name)
                break
        else:
            if awaitable is None or is_a(awaitable, FUTURES):
                return
            inner = [x for x in gc.get_referents(awaitable) if is_a(x, tuple(k for k, *_ in LINKS))]
            if not inner:
                return
            awaitable = inner[0]


def frames_of(task: Task) -> list[FrameType]:
    """Return the suspended frames of one task, the outermost first."""
    return list(links(asyncio_.coro_of(task)))


def coroutine_name(task: Task) -> tuple[str, str]:
    """Return (module, qualified name) of the coroutine that a task runs."""
    coro: Any = asyncio_.coro_of(task)
    for kind, code_name in CODES:
        if is_a(coro, kind):
            code = getattr(coro, code_name)
            return module_of(code), code.co_qualname
    inner = next((x for x in gc.get_referents(coro) if is_a(x, AsyncGeneratorType)), None)
    if inner is not None:
        return module_of(inner.ag_code), inner.ag_code.co_qualname
    return str(type(coro).__module__), str(getattr(coro, "__qualname__", type(coro).__qualname__))


def self_of(task: Task) -> Iterable[Any]:
    """Return the object whose method the task runs, if its coroutine is a method."""
    coro: Any = asyncio_.coro_of(task)
    if not is_a(coro, CoroutineType) or coro.cr_frame is None:
        return ()
    code = coro.cr_code
    if not code.co_argcount:
        return ()
    owner = coro.cr_frame.f_locals.get(code.co_varnames[0])
    return (owner,) if is_method(owner, code) else ()


def is_method(owner: Any, code: CodeType) -> bool:
    """Tell whether a code object is defined in the class of `owner`."""
    found = inspect.getattr_static(type(owner), code.co_name, None)
    found = getattr(found, "__wrapped__", found)
    return getattr(found, "__code__", None) is code


def seconds_left(task: Task) -> float:
    """Return the seconds before which a sleeping task cannot wake, 0 where that is not known."""
    frames = frames_of(task)
    if not frames or frames[-1].f_code is not asyncio.sleep.__code__:
        return 0.0
    loop = asyncio_.loop_of(task)
    if loop.is_closed():
        return float("inf")
    timers = asyncio_.scheduled(loop)
    return max(0.0, timers[0].when() - loop.time()) if timers else 0.0


def awaited(task: Task) -> Iterator[Any]:
    """Yield the tasks and executor futures that a task waits for."""
    waiter = asyncio_.waiter_of(task)
    if is_a(waiter, asyncio.Task):
        yield waiter
    elif waiter is not None:
        yield from behind(waiter)
    frames = frames_of(task)
    for name in ("fs", "fut", "self"):
        value = frames[-1].f_locals.get(name) if frames and in_asyncio(frames[-1].f_code) else None
        if is_a(value, set | list | tuple):
            yield from (x for x in value if is_a(x, FUTURES))
        elif is_a(value, asyncio.Task):
            yield value
        elif is_a(value, asyncio.TaskGroup):
            yield from list(getattr(value, "_tasks", ()))


def behind(future: Any) -> Iterator[Any]:
    """Yield what completes a future: a gather's children, a shield's inner, an executor's work."""
    children = getattr(future, "_children", None)
    if is_a(children, list):
        yield from (c for c in children if not c.done())
    for callback, *_ in getattr(future, "_callbacks", None) or ():
        code = getattr(callback, "__code__", None)
        if code is None or not in_asyncio(code):
            continue
        for name, cell in zip(code.co_freevars, callback.__closure__ or (), strict=False):
            if name in ("inner", "source") and is_a(cell.cell_contents, FUTURES):
                yield cell.cell_contents


def in_asyncio(code: CodeType) -> bool:
    """Tell whether a code object is asyncio's own."""
    return code.co_filename.startswith(ASYNCIO)


def chain(task: Task) -> tuple[tuple[Frame, ...], str]:
    """Return the await chain through awaited tasks, and the primitive at its end."""
    found: list[Frame] = []
    for _ in range(MOST_TASKS):
        frames = frames_of(task)
        found += [frame_at(f.f_code, f.f_lineno) for f in frames]
        waiter = asyncio_.waiter_of(task)
        inner = [t for t in awaited(task) if is_a(t, asyncio.Task) and not t.done()]
        if len(inner) != 1 or inner[0] is task:
            return tuple(found), primitive(task, frames, waiter)
        task = inner[0]
    return tuple(found), f"task {task.get_name()!r}"


def primitive(task: Task, frames: list[FrameType], waiter: Any) -> str:
    """Name what a task waits for at the end of its chain."""
    if waiter is None:
        return "nothing: it is ready to run" if _begun(task) else "nothing: it never started"
    children = getattr(waiter, "_children", None)
    if is_a(children, list):
        pending = sum(not c.done() for c in children)
        return f"asyncio.gather() of {len(children)}, {pending} pending"
    work = next((x for x in behind(waiter) if is_a(x, concurrent.futures.Future)), None)
    if work is not None:
        return "a thread of an executor"
    leaf = frames[-1] if frames else None
    if leaf is None or not in_asyncio(leaf.f_code):
        return f"a {type(waiter).__name__.lstrip('_')}"
    if leaf.f_code is asyncio.sleep.__code__:
        return f"asyncio.sleep({leaf.f_locals.get('delay')})"
    return f"asyncio.{leaf.f_code.co_qualname.replace('._aexit', '.__aexit__')}()"  # 3.14 renamed it


def _begun(task: Task) -> bool:
    coro: Any = asyncio_.coro_of(task)
    return not is_a(coro, CoroutineType) or inspect.getcoroutinestate(coro) != inspect.CORO_CREATED
