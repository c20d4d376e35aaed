"""What is left of a leak that could not be removed, and can it still disturb others?"""

from __future__ import annotations

import weakref
from typing import Any

from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.settle import Leftover
from pytest_taskleak.model import Finding


class Survivor:
    """A leftover that lives on, told by name and held only weakly."""

    def __init__(self, item: Leftover, finding: Finding, scope: Scope) -> None:
        self.detector = item.detector
        self.thing = weakref.ref(item.thing)
        self.text = f"{finding.resource.name!r} left by {scope.owner}"

    def blocks_exit(self) -> bool:
        """Tell whether the process cannot end before it does."""
        thing: Any = self.thing()
        return thing is not None and self.harms() and self.detector.blocks_exit(thing)

    def harms(self) -> bool:
        """Tell whether it still lives, on a loop that is not closed."""
        thing: Any = self.thing()
        if thing is None or not self.detector.alive(thing):
            return False
        loop = self.detector.loop(thing)
        return loop is None or not loop.is_closed()
