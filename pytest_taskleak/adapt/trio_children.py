"""Which child processes were started with trio, and by which descriptors are they awaited?"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from typing import Any

from pytest_taskleak.adapt import commands
from pytest_taskleak.adapt.wires import Patches
from pytest_taskleak.safely import attribute

STREAMS = ("stdin", "stdout", "stderr")


class TrioChildren:
    """The processes of `trio.Process` that were started while somebody looks."""

    def __init__(self) -> None:
        self.known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._patches = Patches()

    def install(self) -> None:
        """Begin to look."""
        known = self.known

        def making(original: Any) -> Any:
            def __init__(process: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- what it replaces
                original(process, *args, **options)
                known.add(process)

            return __init__

        self._patches.replace(sys.modules["trio"].Process, "__init__", making)

    def uninstall(self) -> None:
        """Put everything back."""
        self._patches.undo()
        self.known.clear()

    def awaited(self, waiting: set[int]) -> str:
        """Name a process for whose exit or for one of whose pipes a task waits; empty if there is none.

        Parameters:
            waiting: the descriptors for which tasks wait.
        """
        for process in list(self.known):
            if waiting.intersection(descriptors_of(process)):
                short, _ = commands.named(commands.words(attribute(process, "args")))
                return f"process {attribute(process, 'pid')}{f' ({short})' * bool(short)}"
        return ""


def descriptors_of(process: Any) -> Iterator[int]:
    """Yield the descriptors of a process: that by which its exit is told, and those of its pipes."""
    handle = attribute(process, "_pidfd")
    if handle is not None and not handle.closed:
        yield handle.fileno()
    for name in STREAMS:
        fd = attribute(attribute(attribute(process, name), "_fd_holder"), "fd")
        if type(fd) is int:
            yield fd
