"""Where is a function of the standard library held, and how is another put in its place, and taken back?

It is held by its own module, and by each module that says `from time import monotonic`.  Those of the user
and of libraries are looked through; the standard library and the test harness keep what they have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of, names_of
from pytest_taskleak.loops.names import MARK


class Bound:
    """What was put in place of other things, until it is taken back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._ours: dict[int, tuple[Any, Any]] = {}  # what was put, and what it stands for
        self._theirs: dict[int, Any] = {}  # what it stands for -> what was put
        self._seen: set[str] = set()

    def put(self, owner: Any, name: str, new: Any) -> None:
        """Put something in the place of what a module or a class holds under a name.

        Parameters:
            owner: the module or class; without such a name nothing is done.
            name: the name.
            new: what is put there.
        """
        before = vars(owner).get(name, self)
        if before is self:
            return
        setattr(owner, name, new)
        self._ours[id(new)] = new, before
        self._theirs[id(before)] = new

        def undo() -> None:
            if vars(owner).get(name) is new:  # else somebody else has replaced it since
                setattr(owner, name, before)

        self._undo.append(undo)

    def spread(self) -> None:
        """Put it also where modules hold what it stands for under a name of their own."""
        theirs = self._theirs
        self._seen.update(sys.modules)
        for module in list(sys.modules.values()):
            names = names_of(module)
            if kind_of_file(names.get("__file__")) not in (USER, LIBRARY):
                continue
            found = [(name, value) for name, value in list(names.items()) if id(value) in theirs]
            for name, value in found:
                names[name] = theirs[id(value)]
                names[MARK] = True

    def take_back(self) -> None:
        """Put everything back that is still ours, also in modules that were loaded meanwhile."""
        ours = self._ours
        for name, module in list(sys.modules.items()):
            names = names_of(module)
            if name in self._seen and MARK not in names:
                continue
            names.pop(MARK, None)
            found = [(key, value) for key, value in list(names.items()) if id(value) in ours]
            for key, value in found:
                names[key] = ours[id(value)][1]
        self._seen.clear()
        while self._undo:
            self._undo.pop()()
        ours.clear()
        self._theirs.clear()


def kind_of_file(path: object) -> int:
    """Return the kind of a source file; -1 where there is none."""
    return kind_of(path) if isinstance(path, str) else -1
