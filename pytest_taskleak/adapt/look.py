"""Where in an await chain is a library's frame asked what it waits for, and what may it answer?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_taskleak.adapt.links import Link
from pytest_taskleak.safely import attribute, mro_of


class Found(NamedTuple):
    """What is waited for; the fields are those of `waits.Wait`.

    Parameters:
        named: what the waiting code has a name for, where it is not the thing itself.
    """

    kind: str
    what: str
    thing: Any = None
    detail: str = ""
    on: tuple[Any, ...] = ()
    inside: str = ""
    named: Any = None


@dataclass(slots=True, eq=False)
class Look:
    """One frame of a library in an await chain, with its neighbours.

    Parameters:
        links: the whole chain, the outermost first.
        at: the index of the frame that is asked about.
        waiter: the future at the end of the chain.
        loop: the loop of the task.
    """

    links: list[Link]
    at: int
    waiter: Any
    loop: Any

    @property
    def link(self) -> Link:
        """The frame that is asked about."""
        return self.links[self.at]

    @property
    def leaf(self) -> Link:
        """The innermost frame."""
        return self.links[-1]

    def name(self, step: int) -> str:
        """Return the name of the code so many steps inwards; negative is outwards."""
        at = self.at + step
        return self.links[at].name if 0 <= at < len(self.links) else ""


Handler = Callable[[Look], Found | None]


def type_name(thing: Any, package: str = "asyncio") -> str:
    """Return the name of the class that a thing has from a package, for a subclass of the user too."""
    for kind in mro_of(type(thing)):
        module = kind.__module__
        if type(module) is str and module.partition(".")[0] == package:
            return kind.__name__
    return type(thing).__name__


def unique(things: Iterable[Any]) -> tuple[Any, ...]:
    """Return things without those that were there before; none is compared by value."""
    return tuple({id(thing): thing for thing in things}.values())


def task_name(task: Any) -> str:
    """Return "task 'x'"; the method of a subclass is not asked."""
    try:
        name = asyncio.Task.get_name(task)
    except TypeError:
        name = attribute(task, "_name")
    return f"task {name!r}" if type(name) is str else "a task"


def within(inner: str, outer: str) -> str:
    """Say that one wrapper is in another."""
    return f"{inner} in {outer}" if inner and outer else inner or outer
