"""Which things were told already?"""

from __future__ import annotations

import weakref
from typing import Any


class Told:
    """The things that were told already, without keeping any of them alive."""

    def __init__(self) -> None:
        self._refs: dict[int, weakref.ref[Any]] = {}

    def add(self, thing: Any) -> None:
        """Remember a thing as told."""
        key = id(thing)
        self._refs[key] = weakref.ref(thing, lambda _: self._refs.pop(key, None))

    def __contains__(self, thing: Any) -> bool:
        ref = self._refs.get(id(thing))
        return ref is not None and ref() is thing
