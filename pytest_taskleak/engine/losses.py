"""What was lost: an exception nobody retrieved, a coroutine nobody awaited, a task destroyed pending.

A loss is an event.  It may come up inside the garbage collector, in any thread and in the middle of
any code, so that nothing is done then but to append plain strings to a queue: no import, no lock, no
log.  The queue is emptied when a scope closes.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from contextvars import Context
from types import FrameType
from typing import Any

from pytest_taskleak.detectors.base import Lose, Record
from pytest_taskleak.engine import births, owner
from pytest_taskleak.engine.explaining import told
from pytest_taskleak.engine.owner import BIRTH, OWNER
from pytest_taskleak.model import Finding, Resource


class Losses:
    """The losses that nobody has looked at yet."""

    def __init__(self) -> None:
        self.queue: deque[tuple[str, Resource, Any]] = deque()
        self.collecting: int | None = None

    def collector(self, phase: str, _: dict[str, int]) -> None:
        """Note in which thread the collector runs; called by `gc` itself."""
        self.collecting = threading.get_ident() if phase == "start" else None

    def install(self) -> None:
        """Begin to see when the collector runs."""
        gc.callbacks.append(self.collector)

    def uninstall(self) -> None:
        """Stop, and forget what nobody has looked at."""
        if self.collector in gc.callbacks:
            gc.callbacks.remove(self.collector)
        self.collecting = None
        self.queue.clear()


LOSSES = Losses()


class Recording:
    """Hands out the functions by which detectors write down births and losses."""

    def __call__(self, kind: str, *, mark: bool) -> Record:
        """Return the recorder of a kind."""
        return births.recorder(kind, mark=mark)

    def losses(self, kind: str) -> Lose:
        """Return the function that writes down what was lost of a kind."""

        def lose(
            resource: Resource,
            *,
            thing: Any = None,
            context: Context | None = None,
            frame: FrameType | None = None,
        ) -> None:
            if not owner.watches:
                return
            birth = getattr(thing, BIRTH, None)
            if birth is None and context is not None:
                scope = context.get(OWNER)
                birth = None if scope is None else (scope, (), (), False)
            if birth is None and LOSSES.collecting != threading.get_ident():
                frames, mine, _ = births.walk(frame)
                birth = (owner.current(), frames, (), mine)
            LOSSES.queue.append((kind, resource, birth))

        return lose


def charge(losses: Losses, watch: Any) -> list[Finding]:
    """Write each loss under the scope that made what was lost; return those of nobody in particular.

    Parameters:
        losses: what to look through.
        watch: the session of watching that asks.
    """
    unowned: list[Finding] = []
    while losses.queue:
        kind, resource, birth = losses.queue.popleft()
        scope = birth[0] if birth is not None else None
        if scope is None or not scope.watch.awake:
            scope = watch.session
        mine = scope.watch
        detector = mine.detectors.get(kind)
        policy = mine.policy_of(scope)
        if detector is None or policy.mode == "off" or kind not in policy.detect:
            continue
        found = told(detector, resource, birth, scope, mine.root)
        if scope.kind == "session":
            unowned.append(found)
            continue
        with mine.lock:
            scope.findings.append(found)
        if scope.closed and scope not in mine.late:
            mine.late.append(scope)
    return unowned
