"""Which leaks are told but not removed?

Some libraries start one task for each loop, on first use, and never end it.  On a loop that lives on,
removing it would make the library start another one in the next test, and a healthy test would be
charged with it.  So the first of its kind on a loop stays; a second one shows that it is no
singleton, and both go.
"""

from __future__ import annotations

import weakref
from typing import Any

from pytest_taskleak.adapt.code import LIBRARY, kind_of
from pytest_taskleak.engine.settle import Leftover

NOTE = "it was left running: a library that starts one task for each loop would start it again"


class Spared:
    """The tasks of libraries that were told and left to their loop."""

    def __init__(self) -> None:
        self._loops: weakref.WeakKeyDictionary[Any, dict[Any, weakref.ref[Any]]] = weakref.WeakKeyDictionary()

    def spares(self, item: Leftover) -> bool:
        """Tell whether a leak stays, as the first of its kind on its loop."""
        if item.detector.kind != "task" or not item.birth or not item.birth[1]:
            return False
        maker = item.birth[1][0]
        if kind_of(maker.co_filename) != LIBRARY:
            return False
        try:
            known = self._loops.setdefault(item.detector.loop(item.thing), {})
        except TypeError:  # a loop that cannot be referred to weakly
            return False
        first = known.get(maker)
        task = first() if first is not None else None
        if task is None or task.done():
            known[maker] = weakref.ref(item.thing)
            return True
        item.detector.remove(task)
        return False
