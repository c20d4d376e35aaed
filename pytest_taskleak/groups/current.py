"""Into which group does a fire-and-forget call spawn, where none is named?"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from pytest_taskleak.adapt.asyncio_ import Task

if TYPE_CHECKING:
    import asyncio

    from pytest_taskleak.groups.group import TrackedTaskGroup

P = ParamSpec("P")
T = TypeVar("T")

CURRENT: ContextVar[tuple[weakref.ref[Any], ...]] = ContextVar("taskleak_groups", default=())
"""The groups that are in use here, the innermost last; tasks inherit it."""
DEFAULTS: list[Any] = []
"""Groups for code that no task of theirs has called: a fixture's, while its test runs."""


def enter(group: TrackedTaskGroup) -> None:
    """Let calls from here on, and in tasks that are made here, spawn into a group."""
    CURRENT.set((*others(group), weakref.ref(group)))


def leave(group: TrackedTaskGroup) -> None:
    """End that."""
    CURRENT.set(others(group))


def others(group: TrackedTaskGroup) -> tuple[weakref.ref[Any], ...]:
    """Return the groups in use here apart from one."""
    return tuple(each for each in CURRENT.get() if each() not in (None, group))


def current_group() -> TrackedTaskGroup:
    """Return the innermost group that is in use here.

    Raises:
        RuntimeError: none is.
    """
    here = [group for each in CURRENT.get() if (group := each()) is not None]
    for group in (*reversed(here), *reversed(DEFAULTS)):
        found: TrackedTaskGroup = group
        return found
    raise RuntimeError(
        "no TrackedTaskGroup is in use here: enter one with 'async with', open() one, or name it with group="
    )


@overload
def fire_and_forget(function: Callable[P, Coroutine[Any, Any, T]], /) -> Callable[P, asyncio.Task[T]]: ...


@overload
def fire_and_forget(
    *,
    group: TrackedTaskGroup | Callable[[], TrackedTaskGroup] | None = None,
    name: str | None = None,
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, asyncio.Task[T]]]: ...


def fire_and_forget(
    function: Any = None,
    /,
    *,
    group: Any = None,
    name: str | None = None,
) -> Any:
    """Let calls of a coroutine function spawn its work into a group, and return the task at once.

    The work is kept alive, named, counted when it fails, and ended with its group; the caller need not await
    it.  Used bare, `@fire_and_forget`, or with arguments.

    Parameters:
        function: the coroutine function.
        group: the group, or what returns it; by default the innermost that is in use where the call is made.
        name: the tasks' name; by default the function's qualified name.

    Raises:
        TypeError: it is no coroutine function.
    """
    if function is None:
        return functools.partial(decorated, group=group, name=name)
    return decorated(function, group=group, name=name)


def decorated(function: Callable[..., Any], *, group: Any, name: str | None) -> Callable[..., Task]:
    """Return the function that spawns."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"fire_and_forget: takes a coroutine function - got {function!r}")
    label = name or function.__qualname__

    @functools.wraps(function)
    def spawn(*args: Any, **options: Any) -> Task:
        target: TrackedTaskGroup = (
            current_group() if group is None else group() if is_getter(group) else group
        )
        coro = function(*args, **options)
        return target.spawn_from(sys._getframe(1), coro, name=label)

    # It returns a task, not a coroutine: `inspect` and frameworks must not take it for a coroutine function.
    return spawn


def is_getter(group: Any) -> bool:
    """Tell whether something returns a group rather than being one."""
    return callable(group) and not hasattr(group, "spawn_from")
