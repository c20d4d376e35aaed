"""On which loop was an async generator begun, and does a task iterate it?

An async generator knows the hook that its loop has given it, which leads to the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType, MethodType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.awaiting import MOST_LINKS, is_method
from pytest_taskleak.adapt.code import HARNESS, kind_of
from pytest_taskleak.safely import is_a

TRIO = ("trio._core._asyncgens",)
"""What must be imported before trio's hooks can be seen."""
SUSPENDED = (CoroutineType, AsyncGeneratorType, GeneratorType)
LINKS = ("async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper")
"""The types, known by name only, that stand between an `await` and what it awaits."""


def trio_hooks() -> Iterable[type]:
    """Yield trio's class that installs the hooks, once somebody has imported it."""
    kind = getattr(sys.modules.get(TRIO[0]), "AsyncGenerators", None)
    return () if kind is None else (kind,)


def also(noted: Callable[[Any, FrameType], None]) -> Callable[[Any], Any]:
    """Return the wrapper after which trio's first-iteration hook also calls `noted`."""

    def wrap(original: Callable[..., None]) -> Callable[..., None]:
        def install_hooks(self: Any, /, *args: Any, **options: Any) -> None:
            original(self, *args, **options)
            theirs = sys.get_asyncgen_hooks().firstiter

            def firstiter(agen: Any) -> None:
                if theirs is not None:
                    theirs(agen)
                frame = sys._getframe(1)
                if agen in self.alive and not by_harness(frame):  # else it was iterated outside of trio
                    noted(agen, frame)

            sys.set_asyncgen_hooks(firstiter=firstiter)

        return install_hooks

    return wrap


def before_the_end(ending: Callable[[Iterable[Any]], None]) -> Callable[[Any], Any]:
    """Return the wrapper that shows `ending` the generators which trio closes at the end of its run."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def finalize_remaining(self: Any, /, *args: Any, **options: Any) -> Any:
            if self.alive:
                ending(self.alive)
            return await original(self, *args, **options)

        return finalize_remaining

    return wrap


def by_harness(frame: FrameType) -> bool:
    """Tell whether a test runner itself iterates a generator: that is a fixture."""
    if kind_of(frame.f_code.co_filename) == HARNESS:
        return True
    step = frame.f_code.co_name == "_call_in_runner_task"
    return step and str(frame.f_globals.get("__name__")).startswith("anyio._backends.")


def is_suspended(agen: Any) -> bool:
    """Tell whether a generator has begun, has not ended and does not run just now.

    One that nobody held any more was given to its loop, which closes it in a turn.
    """
    frame = agen.ag_frame
    return frame is not None and frame.f_back is None and not gc.is_finalized(agen)


def loop_of(agen: Any) -> Any:
    """Return the asyncio loop on which a generator was first iterated, if it was on one."""
    hooks = (getattr(thing, "__self__", None) for thing in gc.get_referents(agen) if is_a(thing, MethodType))
    return next((loop for loop in hooks if is_a(loop, asyncio.AbstractEventLoop)), None)


def held_by_task(agen: Any, loop: Any, *, but: Any = None) -> bool:
    """Tell whether a pending task of a loop, `but` one, is iterating a generator: it answers for it."""
    if loop is None:
        return False
    tasks = [task for task in asyncio_.tasks_of(loop) if task is not but]
    return any(thing is agen for task in tasks for thing in generators_of(task))


def generators_of(task: Any) -> Iterator[Any]:
    """Yield the async generators that the suspended frames of a task hold."""
    chain: list[Any] = [asyncio_.coro_of(task)]
    seen: set[int] = set()
    while chain and len(seen) < MOST_LINKS:
        thing = chain.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if is_a(thing, AsyncGeneratorType):
            yield thing
        chain += [x for x in gc.get_referents(thing) if is_a(x, SUSPENDED) or type(x).__name__ in LINKS]


def self_of(agen: Any) -> Iterable[Any]:
    """Return the object whose method a generator is, if it is one."""
    code, frame = agen.ag_code, agen.ag_frame
    if frame is None or not code.co_argcount:
        return ()
    owner = frame.f_locals.get(code.co_varnames[0])
    return (owner,) if is_method(owner, code) else ()


async def finish(agen: Any) -> None:
    """Close a generator; what its own code raises is nobody's failure any more."""
    with contextlib.suppress(Exception):
        await agen.aclose()
