"""For which descriptors does a loop wait that has no selector of Python's?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey


class Registered:
    """Tells it as a selector would.

    Parameters:
        descriptors: returns them.
    """

    def __init__(self, descriptors: Callable[[], Iterable[int]]) -> None:
        self._descriptors = descriptors

    def get_map(self) -> dict[int, SelectorKey]:
        """Return descriptor -> registration."""
        events = EVENT_READ | EVENT_WRITE
        return {fd: SelectorKey(fd, fd, events, None) for fd in self._descriptors()}
