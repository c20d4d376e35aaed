"""What does one suspended task wait for, down to the primitive by name?

Of a library's frames at the end of an await chain the outermost tells it: `Queue.join`, not the `Event`
that this waits for.  Wrappers (`wait_for`, `shield`, `timeout`) are told beside it.  No code of the
user is run, and nothing that is found is kept.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, CoroutineType, MethodType
from typing import Any

from pytest_taskleak.adapt import anyio_waits, asyncio_, channels, details, primitives
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.adapt.links import Link, chain_of, pending
from pytest_taskleak.adapt.look import Found, Look, within
from pytest_taskleak.adapt.naming import name_in
from pytest_taskleak.safely import attribute, is_a

PACKAGES = frozenset({"asyncio", "anyio", "uvloop"})
"""The libraries whose primitives are known; to name one is to name what it waits for."""
UNNAMED = frozenset({"sleep", "gather", "wait", "ready", "unstarted", "unknown"})
"""Kinds that code has no name for."""
WRAPPERS = {("asyncio.tasks", "wait_for"): "wait_for()"}
"""Frames that only pass on what others wait for; they are told as `inside`."""
_HELPERS = ("_GeneratorContextManager", "_AsyncGeneratorContextManager")
MOST_NESTED = 3
AWAITED_BY: Any = asyncio.Future.__dict__.get("_asyncio_awaited_by")
"""From 3.14 a future knows the tasks that wait for it."""


@dataclass(slots=True, eq=False)
class Wait:
    """What one suspended task waits for.  It holds live objects: for one look only, never kept.

    Parameters:
        kind: lock, semaphore, event, condition, barrier, queue, sleep, future, gather, wait, shield, task,
            group, executor, thread, stream, process, server, limiter, memory-stream, ready, unstarted or
            unknown.
        what: the operation: "asyncio.Queue.get()", "asyncio.sleep(30)", "task 'x'".
        thing: the primitive, or the future itself where it is a bare one.
        name: how the waiting code calls it: "self.queue"; empty if that is not known.
        detail: plain facts: "empty, size 0 of 10", "30 s left", "pid 123 (sleep 60)".
        on: the tasks and futures that it waits for directly, concurrent ones included.
        inside: the wrapper that it sits in, the innermost first: "wait_for()", "shield() in timeout()".
        code: the user's code that waits; else the innermost.
        line: the line on which it waits.
    """

    kind: str
    what: str
    thing: Any = None
    name: str = ""
    detail: str = ""
    on: list[Any] = field(default_factory=list)
    inside: str = ""
    code: CodeType | None = None
    line: int = 0


def wait_of(task: Task, callers: Iterable[Task] = ()) -> Wait:
    """Tell what a task waits for; whatever goes wrong, the kind is then "unknown".

    Parameters:
        task: a task of asyncio.
        callers: tasks that wait for this one; their code may have a name for what a helper task of
            `wait_for()` or `shield()` waits for.
    """
    try:
        return _wait_of(task, callers)
    except Exception:  # noqa: BLE001 -- an odd object, or another thread changed it meanwhile
        return Wait("unknown", "something unknown")


def _wait_of(task: Task, callers: Iterable[Task]) -> Wait:
    chain = chain_of(asyncio_.coro_of(task))
    found = _found(task, chain)
    own = _user_link(chain)
    wait = Wait(found.kind, found.what, found.thing, "", found.detail, list(found.on), found.inside)
    if own is not None and own.frame is not None:
        wait.code, wait.line = own.frame.f_code, own.frame.f_lineno or 0
    things = [thing for thing in (found.named, found.thing) if thing is not None]
    if things and found.kind not in UNNAMED:
        names = (_name(link, things, own) for link in _namers(chain, callers))
        wait.name = next((name for name in names if name), "")
    return wait


def _name(link: Link, things: list[Any], own: Link | None) -> str:
    """Return how one frame calls a thing; `self.x` of a library's code is told by the class: `Pool.x`."""
    name = "" if link.frame is None else name_in(link.frame, things)
    if not name or link is own or (link.code is not None and kind_of(link.code.co_filename) == USER):
        return name
    first, dot, rest = name.partition(".")
    code = link.code
    if not dot or code is None or not code.co_argcount or first != code.co_varnames[0]:
        return ""  # a local variable of code that the user has not written
    return f"{type(link.owner()).__name__}.{rest}"


def found_of(task: Task) -> Found:
    """Tell what a task waits for, without a look for names."""
    return _found(task, chain_of(asyncio_.coro_of(task)))


def _found(task: Task, chain: list[Link]) -> Found:
    waiter = asyncio_.waiter_of(task)
    if waiter is None or not pending(waiter):
        return _runnable(task, waiter)
    loop = asyncio_.loop_of(task)
    found = None
    for at in range(_tail(chain), len(chain)):
        look = Look(chain, at, waiter, loop)
        found = _told(look)
        if found is not None:
            break
    if found is None:
        found = _of_leaf(chain, primitives.of_future(waiter))
    return found._replace(inside=within(found.inside, _wrappers(task, chain)))


def _of_leaf(chain: list[Link], found: Found) -> Found:
    """Name a bare future by the function of asyncio that waits for it, where the tables have none."""
    leaf = chain[-1] if chain else None
    known = leaf is None or not leaf.module.startswith("asyncio.") or (leaf.module, leaf.name) in WRAPPERS
    if leaf is None or known or found.kind != "future":
        return found
    return found._replace(what=f"asyncio.{leaf.name}()")


def _told(look: Look) -> Found | None:
    module, name = look.link.module, look.link.name
    handler = primitives.TABLE.get((module, name)) or channels.handler_of(module, name)
    if handler is None and module.startswith("anyio"):
        handler = anyio_waits.TABLE.get((module, name))
    return None if handler is None else handler(look)


def _runnable(task: Task, waiter: Any) -> Found:
    """Tell of a task that waits for nothing."""
    coro: Any = asyncio_.coro_of(task)
    if not pending(task):
        return Found("unknown", "nothing: it has ended")
    if waiter is None and getattr(coro, "cr_running", False) is True:
        return Found("ready", "nothing: it is running")
    if (
        waiter is None
        and is_a(coro, CoroutineType)
        and inspect.getcoroutinestate(coro) == inspect.CORO_CREATED
    ):
        return Found("unstarted", "nothing: it never started")
    return Found("ready", "nothing: it is ready to run")


def _tail(chain: list[Link]) -> int:
    """Return where the frames of known libraries begin that end the chain."""
    at = len(chain)
    while at and chain[at - 1].module.partition(".")[0] in PACKAGES:
        at -= 1
    return at


def _user_link(chain: list[Link]) -> Link | None:
    """Return the innermost frame of the user's code; else of a library, else of any but those known."""
    coded = [link for link in reversed(chain) if link.code is not None]
    others = [link for link in coded if link.module.partition(".")[0] not in PACKAGES]
    for wanted in (USER, LIBRARY):
        for link in others:
            if link.code is not None and kind_of(link.code.co_filename) == wanted:
                return link
    return next(iter(others or coded), None)


def _namers(chain: list[Link], callers: Iterable[Task]) -> Iterator[Link]:
    """Yield the frames that may have a name for what is waited for, the best first."""
    own, at = _user_link(chain), _tail(chain)
    if own is not None and own.module.partition(".")[0] not in PACKAGES:
        yield own
    if at and chain[at - 1] is not own:
        yield chain[at - 1]
    for task in callers:
        outer = _user_link(chain_of(asyncio_.coro_of(task)))
        if outer is not None:
            yield outer


def _wrappers(task: Task, chain: list[Link]) -> str:
    """Name what a task's wait is wrapped in, the innermost first."""
    said = ""
    for link in reversed(chain):
        here = WRAPPERS.get((link.module, link.name), "")
        if not here and any(x._task is task for x in _timeouts(link.thing)):
            here = "timeout()"
        said = within(said, here)
    return within(said, anyio_waits.scope_of(task))


def _timeouts(thing: Any, depth: int = MOST_NESTED) -> Iterator[Any]:
    """Yield the armed timeouts that a coroutine or generator is inside of.

    `async with` keeps on the stack the bound method `__aexit__`, from 3.14 the function and its object.
    A timeout within a helper made by `contextlib` is found in the generator behind it.
    """
    for held in gc.get_referents(thing):
        manager = held.__self__ if is_a(held, MethodType) else held
        if is_a(manager, asyncio.Timeout):
            if getattr(manager, "_timeout_handler", None) is not None:
                yield manager
        elif depth and type(manager).__module__ == "contextlib":
            yield from _behind(manager, depth - 1)


def _behind(manager: Any, depth: int) -> Iterator[Any]:
    if type(manager).__name__ in _HELPERS:
        yield from _timeouts(attribute(manager, "gen"), depth)
    for _, leave in list(attribute(manager, "_exit_callbacks") or ()):
        owner = leave.__self__ if is_a(leave, MethodType) else None
        if is_a(owner, asyncio.Timeout) and getattr(owner, "_timeout_handler", None) is not None:
            yield owner
        elif type(owner).__name__ in _HELPERS:
            yield from _timeouts(attribute(owner, "gen"), depth)


def armed_until(task: Task) -> float | None:
    """Return the seconds until a timer of its own ends what a task waits for, `None` if there is none.

    Timers of `asyncio.timeout()`, `wait_for()`, `wait(timeout=)` and `as_completed(timeout=)`, and
    deadlines of anyio's cancel scopes.  That of a plain `sleep()` is not one of them.
    """
    try:
        return min(_deadlines(task), default=None)
    except Exception:  # noqa: BLE001 -- an odd object, or another thread changed it meanwhile
        return None


def _deadlines(task: Task) -> Iterator[float]:
    loop = asyncio_.loop_of(task)
    timers = list(anyio_waits.timers_of(task))
    for link in chain_of(asyncio_.coro_of(task)):
        timers += [x._timeout_handler for x in _timeouts(link.thing) if x._task is task]
        if link.module == "asyncio.tasks":
            timers += [link.local("timeout_handle"), attribute(link.owner(), "_timeout_handle")]
    for timer in timers:
        left = details.left_of(timer, loop)
        if left is not None:
            yield left


def awaiters_of(future: Any, tasks: Iterable[Task]) -> list[Task]:
    """Return those of `tasks` that wait for a future directly: for itself, or for it among others.

    Parameters:
        future: a future or a task; a concurrent one too.
        tasks: where to look.
    """
    known = AWAITED_BY.__get__(future) if AWAITED_BY is not None and is_a(future, asyncio.Future) else None
    by = {id(x) for x in known or ()}
    return [t for t in tasks if id(t) in by or (not by and _waits_for(t, future))]


def _waits_for(task: Task, future: Any) -> bool:
    if asyncio_.waiter_of(task) is future:
        return True
    try:
        return any(x is future for x in found_of(task).on)
    except Exception:  # noqa: BLE001 -- as above
        return False
