"""Which locks and permits were taken during a run, and were they given back?

While a storm runs, the classes of asyncio note each lock and semaphore that is made; nothing else of them is
touched, and afterwards they are what they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import FrameType
from typing import Any

from pytest_taskleak.adapt.code import SKIP, kind_of
from pytest_taskleak.adapt.locks import permits_left

KINDS = (asyncio.Lock, asyncio.Semaphore)


class Primitives:
    """The locks and semaphores that are made while this is installed."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, int, str]] = []
        self._before: list[tuple[Any, Any]] = []

    def install(self) -> None:
        """Begin to note."""
        for each in KINDS:
            kind: Any = each
            original = kind.__init__
            self._before.append((kind, original))
            kind.__init__ = self._noting(original)

    def uninstall(self) -> None:
        """Put the classes back as they were."""
        for kind, original in reversed(self._before):
            kind.__init__ = original
        self._before.clear()
        self.made.clear()

    def _noting(self, original: Any) -> Any:
        def __init__(own: Any, *args: Any, **options: Any) -> None:  # noqa: N807 -- takes its place
            original(own, *args, **options)
            self.made.append((own, permits_left(own), born()))

        return __init__

    def taken(self) -> Iterator[tuple[str, str]]:
        """Yield what is held of each, and where it was made."""
        for thing, permits, where in self.made:
            missing = permits - permits_left(thing)
            if missing > 0:
                kind = type(thing).__name__
                lacks = f"lacks {missing} of {permits} permits"
                yield f"asyncio.{kind} {'is still locked' if kind == 'Lock' else lacks}", where


def born() -> str:
    """Return the line of the user on which a primitive is made."""
    import sys

    frame: FrameType | None = sys._getframe(2)
    while frame is not None and kind_of(frame.f_code.co_filename) >= SKIP:
        frame = frame.f_back
    return f"{frame.f_code.co_qualname}:{frame.f_lineno}" if frame is not None else ""
