"""Which event loops are left open?

A loop that runs just now is what its thread does: the thread answers for it, or the call that runs
it.  The loops of test runners are theirs, and the one that `get_event_loop` makes is the process's.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, futures, loops
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.model import Code, Resource

WATCHED = "_taskleak_watched"
"""The attribute of a loop that somebody answers for; false once its owner's end has been looked at."""


class Loops(Detector):
    """Event loops that nobody closed."""

    kind = "loop"
    rank = 45
    codes: ClassVar = {
        "TL601": Code(
            title="event loop not closed",
            meaning="An event loop was still open when its owner's scope had closed, or was dropped "
            "without close().",
            cause="new_event_loop() without close(); an asyncio.Runner that is neither closed nor used in a "
            "with statement.",
            cure="Close the loop in a finally clause, or let asyncio.run or asyncio.Runner do it.",
        ),
    }

    def __init__(self) -> None:
        self.planting = False

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=True)
        lose = recorder.losses(self.kind)

        def wrap_init(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(loop: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                original(loop, *args, **options)
                frame = sys._getframe(1)
                if self.planting or not loops.nobodys(frame):
                    watch(loop, seen=False)
                    record(loop, loops.maker(frame))

            return __init__

        def wrap_del(original: Callable[..., None]) -> Callable[..., None]:
            def __del__(loop: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- see above
                # The collector runs: only strings are made of the loop.
                if not getattr(loop, "_closed", True) and getattr(loop, WATCHED, False):
                    lose(DROPPED, thing=loop)
                original(loop, *args, **options)

            return __del__

        yield Patch(asyncio_.loop_classes, "__init__", wrap_init, "event loops", after=UVLOOP)
        yield Patch(lambda: [asyncio.BaseEventLoop], "__del__", wrap_del, "event loops that were dropped")

    def alive(self, thing: Any) -> bool:
        watch(thing, seen=True)
        return not thing.is_closed() and not thing.is_running()

    def patience(self, thing: Any) -> float:
        return float("inf")  # it cannot close itself, and whoever could is waited for

    def parts(self, thing: Any) -> Iterable[Any]:
        executor = loops.default_executor(thing)
        return () if executor is None else (executor,)

    def helper(self, thing: Any) -> bool:
        return True

    def describe(self, thing: Any) -> Resource:
        kind = type(thing)
        return Resource(
            code="TL601",
            name=kind.__qualname__,
            what=kind.__qualname__,
            module=kind.__module__,
            state="is still open",
            noun="event loop",
            details=tuple(contents(thing)),
        )

    def remove(self, thing: Any) -> bool:
        # As the thread's current loop it may be what other tests get from get_event_loop().
        if not thing.is_running() and not loops.is_current(thing):
            thing.close()
        return False

    def advice(self, resource: Resource) -> str:
        return "close() the loop when its work is done, or let asyncio.run or asyncio.Runner do it"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        self.planting = True  # the harness plants it, which else makes nothing that counts
        try:
            loop = asyncio.new_event_loop()
        finally:
            self.planting = False
        try:
            yield loop
        finally:
            loop.close()


DROPPED = Resource(
    code="TL601",
    name="event loop",
    what="event loop",
    state="was dropped without close()",
    noun="event loop",
    outlives=False,
)
"""What is told of a loop that the collector found before its owner's scope had ended."""


def watch(loop: Any, *, seen: bool) -> None:
    """Note that somebody answers for a loop, or that its owner's end was seen: later it is no news."""
    with contextlib.suppress(AttributeError, TypeError):
        setattr(loop, WATCHED, not seen)


def contents(loop: Any) -> Iterator[tuple[str, str]]:
    """Yield what a loop still holds, in words."""
    tasks, timers = len(asyncio_.tasks_of(loop)), len(asyncio_.scheduled(loop))
    if tasks:
        yield "tasks", f"{tasks} pending on it"
    if timers:
        yield "timers", f"{timers} scheduled on it"
    executor = loops.default_executor(loop)
    if executor is not None and futures.is_open(executor):
        yield "executor", "its default executor was not shut down"


detector = Loops()
