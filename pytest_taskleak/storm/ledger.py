"""What was handed in to a service, and what became of it?"""

from __future__ import annotations

import asyncio
from collections.abc import Container
from dataclasses import dataclass, field
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary


@dataclass(slots=True)
class Ledger:
    """The items of one run, and their fates."""

    accepted: dict[Any, float] = field(default_factory=dict)
    finished: dict[Any, int] = field(default_factory=dict)
    dropped: dict[Any, str] = field(default_factory=dict)
    order: list[Any] = field(default_factory=list)
    unanswered: list[Any] = field(default_factory=list)
    """Those of which nobody knows whether the service has taken them on: their client was gone before."""
    _latest: WeakKeyDictionary[asyncio.Task[Any], tuple[Any, CodeType]] = field(
        default_factory=WeakKeyDictionary
    )

    def accept(self, item: Any, time: float, code: CodeType) -> None:
        """Enter an item, in the name of the running task.

        Parameters:
            item: any hashable.
            time: virtual seconds.
            code: what says that it was taken on.
        """
        self.accepted[item] = time
        task = asyncio.current_task()
        if task is not None:
            self._latest[task] = item, code

    def open_items(self) -> list[Any]:
        """Return what was accepted and is neither finished nor dropped."""
        return [item for item in self.accepted if item not in self.finished and item not in self.dropped]

    def cut_off(self, task: asyncio.Task[Any], clients: Container[CodeType]) -> None:
        """Note that a client goes away while it waits for what the service says to its latest item.

        Parameters:
            task: the client's.
            clients: code of clients. What the service itself has said that it took on, it has taken on.
        """
        item, code = self._latest.get(task, (None, None))
        if code in clients:
            self.unanswered.append(item)
