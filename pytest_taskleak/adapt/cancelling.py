"""How is a task asked to end, whatever it waits for?

`Task.cancel()` hands the request on to what the task waits for: another task, the children of a
`gather`.  It recurses for that, without end where tasks await each other, and too deep where the chain
is long; `asyncio.run` dies of the `RecursionError` as well.  So the way is walked first, without
recursion.  A short way without circles is asyncio's own to go.  Else the tasks at the ends of the chains
are cancelled, and each circle is opened at one link: the task there is woken with a cancelled future in
place of the task that it waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import tasks as _tasks
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import BuiltinMethodType, MethodType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.safely import is_a

DEEP = 30
"""Links that `Task.cancel()` may follow by itself; CPython 3.11 breaks at some hundreds."""
CROSSINGS = 8
"""Nodes that may be reached on a second way: each of them can double the work of `Task.cancel()`."""
GATHERING = getattr(_tasks, "_GatheringFuture", ())


def cancel(task: Any, asked: set[int] | None = None) -> bool:
    """Ask a task to end, as `task.cancel()` does, without ever recursing.

    It must be called where `task.cancel()` may be called: in the thread that runs the task's loop.

    Parameters:
        task: the task.
        asked: what was reached by earlier calls, by identity, when many tasks are asked one after
            another; it is added to, and no chain is walked twice.

    Returns:
        whether the task was asked; it is `False` for one that is done.
    """
    if task.done():
        return False
    if asked is not None and id(task) in asked:
        return True
    if Way(task, DEEP).plain:
        try:
            task.cancel()
        except RecursionError:  # through a future of somebody else
            return release(task)
        return True
    Way(task, None, set() if asked is None else asked).take()
    return True


def cycle_of(task: Any) -> list[Any]:
    """Return the tasks that await each other, if the way from a task leads into a circle of them."""
    way = Way(task, None)
    return [node for node in way.cycles[0] if is_a(node, asyncio.Task)] if way.cycles else []


@dataclass(slots=True, eq=False)
class Way:
    """The way that a cancellation takes from a task on, walked without recursion.

    Parameters:
        start: the task.
        limit: the number of links after which the walk stops.
        seen: what need not be walked again, by identity; it is added to.
    """

    start: Any
    limit: int | None
    seen: set[int] = field(default_factory=set)
    depth: int = 0
    crossings: int = 0
    opened: bool = False
    """A task is on its way already: it was woken, though it still names what it waited for."""
    ends: list[Any] = field(default_factory=list)
    gathers: list[Any] = field(default_factory=list)
    cycles: list[list[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Walk, each node once, depth first."""
        path: list[Any] = []
        where: dict[int, int] = {}
        stack = [iter((self.start,))]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                if path:
                    del where[id(path.pop())]
                continue
            if id(node) in where:
                self.cycles.append(path[where[id(node)] :])
                continue
            if id(node) in self.seen:
                self.crossings += 1
                continue
            self.seen.add(id(node))
            where[id(node)] = len(path)
            path.append(node)
            self.depth = max(self.depth, len(path))
            if self.limit is not None and self.depth > self.limit:
                return
            stack.append(self.onwards(node))

    def onwards(self, node: Any) -> Iterator[Any]:
        """Yield what a cancellation of a node goes on to."""
        if is_a(node, GATHERING):
            self.gathers.append(node)
            yield from (x for x in tuple(getattr(node, "_children", ())) if not x.done())
            return
        waiter = asyncio_.waiter_of(node) if is_a(node, asyncio.Task) else None
        if not is_a(waiter, (asyncio.Task, GATHERING)) or waiter.done():
            self.ends.append(node)
        elif wakeup_of(node, waiter) is None:
            self.opened = True
        else:
            yield waiter

    @property
    def plain(self) -> bool:
        """Tell whether `Task.cancel()` can go this way by itself."""
        return self.depth <= DEEP and self.crossings <= CROSSINGS and not self.opened and not self.cycles

    def take(self) -> None:
        """Ask whatever is at the ends, and open the circles."""
        for gathered in self.gathers:
            request(gathered)
        for end in self.ends:
            with contextlib.suppress(Exception):  # a future of the user may do anything
                end.cancel()
        for cycle in self.cycles:
            open_circle(cycle)


def open_circle(cycle: list[Any]) -> None:
    """Wake one task of a circle, best one that awaits a task: its end then goes round by itself."""
    members = [node for node in cycle if is_a(node, asyncio.Task)]
    if any(wakeup_of(task, asyncio_.waiter_of(task)) is None for task in members):
        return  # it is open already
    direct = [task for task in members if is_a(asyncio_.waiter_of(task), asyncio.Task)]
    any(release(task) for task in (*direct, *members))


def release(task: Any) -> bool:
    """Wake a task with a cancelled future in place of what it waits for; tell whether that went well."""
    waiter = asyncio_.waiter_of(task)
    found = wakeup_of(task, waiter)
    if found is None:
        return False
    wakeup, context = found
    loop = asyncio_.loop_of(task)
    cancelled = loop.create_future()
    cancelled.cancel()
    waiter.remove_done_callback(wakeup)
    if is_a(waiter, GATHERING):
        waiter.add_done_callback(retrieve)  # nobody else asks it for its exception now
    loop.call_soon(wakeup, cancelled, context=context)
    return True


def wakeup_of(task: Any, waiter: Any) -> tuple[Any, Any] | None:
    """Return the callback by which what a task waits for wakes it, and the context it is run in."""
    for callback, context in tuple(getattr(waiter, "_callbacks", None) or ()):
        if is_a(callback, (BuiltinMethodType, MethodType)) and callback.__self__ is task:
            return callback, context
    return None


def request(gathered: Any) -> None:
    """Let a `gather` know that it is cancelled: it tells its waiter so even if it returns exceptions."""
    try:
        gathered._cancel_requested = True  # as `_GatheringFuture.cancel` does
    except AttributeError:
        return


def error_of(task: Any) -> BaseException | None:
    """Return the exception of a task that is done, without counting it as asked for."""
    error: BaseException | None = getattr(task, "_exception", None)
    return error


def retrieve(future: Any) -> None:
    """Count a future's exception as asked for."""
    if not future.cancelled():
        future.exception()
