"""Which futures does a callback of asyncio have in hand, so that it can be said whose wait it ends?

A callback that has run has done its work: its future is done, and has forgotten who waited for it.  So
whoever asks must have noted who waits for what.  Where a private name of asyncio is not there any more,
nothing is found, and a callback is called by its own name.
"""

from __future__ import annotations

import asyncio
import functools
from asyncio import tasks, timeouts
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

from pytest_taskleak.adapt.links import cells
from pytest_taskleak.adapt.task_steps import is_future
from pytest_taskleak.safely import is_a

# What ends a `wait_for` up to 3.11, which runs a coroutine in a task of its own.  Without this name such a
# task is one of its own also in what is told.
_release = getattr(tasks, "_release_waiter", None)


def ends(handle: Any) -> Iterator[asyncio.Task[Any]]:
    """Yield the task that a callback cancels: its own method, or that of the timeout in which it stands.

    Parameters:
        handle: of the callback.
    """
    owner = getattr(_unwrapped(handle)[0], "__self__", None)
    task = getattr(owner, "_task", None) if is_a(owner, timeouts.Timeout) else owner
    if is_a(task, asyncio.Task):
        yield task


def held(handle: Any, *, closure: bool) -> Iterator[Any]:
    """Yield the futures and tasks that a callback has in hand: those that it was made with, then the others.

    Parameters:
        handle: of the callback.
        closure: whether its closure counts, too.
    """
    function, things = _unwrapped(handle)
    things = [*things, getattr(function, "__self__", None), *(handle._args or ())]
    if closure and type(function) is FunctionType:
        things += cells(function).values()
    yield from (thing for thing in things if is_future(thing))


def code_of(handle: Any) -> CodeType | None:
    """Return the code that a callback runs, `None` for one that is not in Python."""
    function = _unwrapped(handle)[0]
    if type(function) is MethodType:
        function = function.__func__
    return function.__code__ if type(function) is FunctionType else None


def lent_to(task: asyncio.Task[Any]) -> Iterator[Any]:
    """Yield what somebody waits for in place of a task: `wait_for` has made that to run what it bounds.

    Parameters:
        task: one that has not ended.
    """
    for callback, *_ in getattr(task, "_callbacks", None) or ():
        if _release is not None and is_a(callback, functools.partial) and callback.func is _release:
            yield from callback.args


def _unwrapped(handle: Any) -> tuple[Any, list[Any]]:
    """Return the function of a callback, and what it is bound to by `partial`."""
    function, things = handle._callback, []
    while is_a(function, functools.partial):
        things += function.args
        function = function.func
    return function, things
