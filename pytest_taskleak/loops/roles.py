"""Who takes part in virtual time, and who tells what is at work outside of it?"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Protocol

from pytest_taskleak.loops.wait import Wait

if TYPE_CHECKING:
    from pytest_taskleak.loops.virtual import VirtualTime

NEVER = math.inf


class Participant(Protocol):
    """A loop that runs, or a thread that sleeps in virtual time."""

    ident: int
    """The thread."""
    resting: bool
    """Whether it waits; only its own thread says so."""

    def due(self) -> float:
        """Return the time that it waits for, `inf` if it waits for none."""
        ...

    def stirs(self) -> bool:
        """Tell whether there is something for it to do although it rests."""
        ...

    def wake(self) -> None:
        """End its wait; called from any thread."""
        ...


class Outside(Protocol):
    """What is at work outside of the loops."""

    def quiet(self) -> bool:
        """Tell at once whether certainly nothing is; `False` says nothing."""
        ...

    def look(self, time: VirtualTime) -> Wait | None:
        """Return something that is at work, `None` if there is nothing."""
        ...

    def hope(self, time: VirtualTime) -> Wait | None:
        """Return what may still bring something when nobody waits for a time, `None` if there is nothing."""
        ...


def named(ident: int) -> str:
    """Return the name of a thread for a message."""
    thread: Any = getattr(threading, "_active", {}).get(ident)
    return f"thread {thread.name!r}" if thread is not None else f"thread {ident}"
