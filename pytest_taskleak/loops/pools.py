"""Has a pool got work that no worker has begun, so that time must stand?

What a worker has begun is told by the worker, which is a thread.  Between the two, while a worker takes the
work out of the queue, only the future of the work tells of it: so futures are noted when they are made.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from pytest_taskleak.adapt import submitting
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wait import Wait

Stuck = Callable[[Iterable[int], VirtualTime], bool]


class Pools:
    """The work that was handed to executors with threads since the installation.

    Executors with processes need no notes: a thread of theirs has a list of what is not done.
    """

    def __init__(self) -> None:
        self.queued: dict[int, tuple[Any, Any]] = {}  # id -> weak references to future and executor
        self.whole: dict[int, Any] = {}  # id -> weak reference to an executor all of whose work was noted
        self.stuck: Stuck = lambda _idents, _time: False
        self.watch = submitting.Watch(self._begins, self._submitted)

    def install(self, time: VirtualTime) -> None:
        """Begin to note what executors get to do."""
        self.watch.install()

    def uninstall(self) -> None:
        """Put everything back."""
        self.watch.uninstall()
        self.queued.clear()
        self.whole.clear()

    def quiet(self) -> bool:
        """Tell at once whether nothing is queued; `False` says nothing."""
        return not self.queued

    def look(self, time: VirtualTime) -> Wait | None:
        """Return work that a worker may begin, `None` if there is none."""
        self._forget_begun()
        for future, pool in list(self.queued.values()):
            executor = pool()
            if future() is None or executor is None or self._saturated(executor, time):
                continue
            name, pool_name = submitting.call_of(future(), executor)
            text = (
                f"call {name}() waits in pool {pool_name!r}"
                if name
                else f"a call waits in pool {pool_name!r}"
            )
            return Wait("pool", text, time.settings.hang_after)
        return None

    def hope(self, time: VirtualTime) -> Wait | None:
        """Return nothing: work that cannot begin comes only after something else."""
        return None

    def drained(self, executor: Any) -> bool:
        """Tell whether an executor certainly has no work that waits for a worker."""
        known = self.whole.get(id(executor))
        if known is None or known() is not executor:
            return False
        if not self.queued:
            return True
        self._forget_begun()
        return not any(pool() is executor for _, pool in list(self.queued.values()))

    def _saturated(self, executor: Any, time: VirtualTime) -> bool:
        """Tell whether all workers wait for something else, and there can be no more of them."""
        idents = submitting.all_workers(executor)
        return bool(idents) and self.stuck(idents, time)

    def _begins(self, executor: Any) -> None:
        """Note an executor that gets its first work."""
        key, whole = id(executor), self.whole
        whole[key] = weakref.ref(executor, lambda _: whole.pop(key, None))

    def _submitted(self, future: Any, executor: Any) -> None:
        key, queued = id(future), self.queued
        queued[key] = (weakref.ref(future, lambda _: queued.pop(key, None)), weakref.ref(executor))

    def _forget_begun(self) -> None:
        """Forget what is begun, done or cancelled."""
        for key, pair in list(self.queued.items()):
            if not submitting.is_pending(pair[0]()) and self.queued.get(key) is pair:
                self.queued.pop(key, None)
