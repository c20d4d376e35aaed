"""Is a child process awaited, so that time must stand?

A child counts as long as somebody waits for its exit or for one of its pipes.  A server in the background
does not; what comes from it over a socket is told by the connections.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Container
from typing import Any

from pytest_taskleak.adapt import asyncio_, child_waits, commands, waits, wires
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait
from pytest_taskleak.safely import attribute

PAUSE = 0.02
"""Real seconds between two looks; whatever a child does ends the loop's wait at once."""
MOST_OUTER = 8


class Children:
    """The child processes of the loops under a virtual time."""

    def __init__(self) -> None:
        self.background: Container[Any] = ()
        """Tasks for whose sake time does not stand."""
        self._known: dict[int, weakref.ref[Any]] = {}  # id -> transport
        self._ignored: set[int] = set()
        self._time: VirtualTime | None = None
        self._crew = -1  # the one that was looked at last
        self._patches = wires.Patches()

    def install(self, time: VirtualTime) -> None:
        """Begin to note which children are started or waited for."""
        self._time, self._crew = time, -1
        child_waits.see_children(self._patches, self.note)

    def uninstall(self) -> None:
        """Put everything back."""
        self._patches.undo()
        self._time, self._crew = None, -1
        self._known = {}
        self._ignored.clear()

    def ignore(self, thing: Any) -> None:
        """Let time go on whatever a child does.

        Parameters:
            thing: an object for a process, or its pid.
        """
        pid = thing if type(thing) is int else attribute(thing, "pid")
        if type(pid) is int:
            self._ignored.add(pid)

    def quiet(self) -> bool:
        met = self._time is None or self._time.crew == self._crew
        return met and not self._known

    def look(self, time: VirtualTime) -> Wait | None:
        if time.crew != self._crew:
            self._meet(time)
        return self._wait(time, self.background, self._ignored) if self._known else None

    def hope(self, time: VirtualTime) -> Wait | None:
        return self._wait(time, (), ())  # one that is ignored may end as well

    def _wait(self, time: VirtualTime, background: Container[Any], ignored: Container[int]) -> Wait | None:
        for key, reference in list(self._known.items()):
            transport = reference()
            if transport is None or child_waits.is_over(transport):
                self._known.pop(key, None)
            elif child_waits.pid_of(transport) not in ignored:
                found = awaited(transport, background)
                if found:
                    return Wait("child", found, time.settings.hang_after, PAUSE)
        return None

    def note(self, transport: Any) -> None:
        """Note a child, known by its transport or by what has the same names."""
        self._known[id(transport)] = weakref.ref(transport)

    def _meet(self, time: VirtualTime) -> None:
        """Note the children of loops that take part now, known by an open pipe or the watch on their exit."""
        self._crew = time.crew
        for participant in time.participants:
            selector = getattr(participant, "selector", None)
            for key in wires.registered(selector).values() if selector is not None else ():
                child = child_waits.child_of(key)
                if child is not None:
                    self.note(child)


def awaited(transport: Any, background: Container[Any]) -> str:
    """Say who waits for a child; empty if nobody does, or only tasks of the background."""
    for future in child_waits.waiters_of(transport):
        tasks = child_waits.tasks_at(future)
        if tasks and all(task in background for task in tasks):
            continue
        by = f" by {told(tasks[0])}" if tasks else ""
        return f"process {child_waits.pid_of(transport)}{command(transport)} is awaited{by}"
    return ""


def command(transport: Any) -> str:
    """Return the command of a child, in brackets."""
    short, _ = commands.named(commands.words(child_waits.command_of(transport)))
    return f" ({short})" if short else ""


def told(task: Any) -> str:
    """Name a task and where it waits; one that works for another is told as the other."""
    all_tasks = asyncio_.tasks_of(asyncio_.loop_of(task))
    for _ in range(MOST_OUTER):
        outer = waits.awaiters_of(task, all_tasks)
        if not outer:
            break
        task = outer[0]
    wait = waits.wait_of(task)
    place = f" at {os.path.basename(wait.code.co_filename)}:{wait.line}" if wait.code is not None else ""
    return f"task {task.get_name()!r}{place}"
