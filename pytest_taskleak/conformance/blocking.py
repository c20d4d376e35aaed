"""How does a call come to an end that blocks its loop, so that no timer of the loop can help?"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.explain.birth import shorten


class Blocked(BaseException):
    """Is raised where the main thread stands; passes what catches any `Exception`."""


class Alarm:
    """Interrupts the main thread if it is not switched off in time.

    Parameters:
        base: the code that runs the loop; where none of the user's code runs above it, the loop turns.
    """

    def __init__(self, base: CodeType) -> None:
        self.base = base
        self.thread = threading.get_ident()
        self.due: set[object] = set()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[Callable[[], None]]:
        """Interrupt what runs here after so many seconds; yield what switches that off."""
        mark = object()

        def ring() -> None:
            self.due.add(mark)
            signal.pthread_kill(self.thread, signal.SIGURG)

        def off() -> None:
            timer.cancel()
            self.due.discard(mark)

        timer = threading.Timer(seconds, ring)
        timer.daemon = True
        timer.start()
        try:
            yield off
        finally:
            off()

    def answer(self, _: int, frame: FrameType | None) -> None:
        """Raise where the main thread stands, if it is late."""
        if not self.due:
            return
        self.due.clear()
        while frame is not None and frame.f_code is not self.base:
            if kind_of(frame.f_code.co_filename) in (USER, LIBRARY):
                raise Blocked(f"{shorten(frame.f_code.co_filename, os.getcwd())}:{frame.f_lineno}")
            frame = frame.f_back


class NoAlarm:
    """Stands where the main thread cannot be interrupted, or is not the one that runs."""

    def within(self, _: float) -> contextlib.AbstractContextManager[Callable[[], None]]:
        """Do nothing."""
        return contextlib.nullcontext(lambda: None)


@contextlib.contextmanager
def alarm(base: CodeType) -> Iterator[Alarm | NoAlarm]:
    """Yield what interrupts a call; by a signal that is ignored by default and used by hardly anybody.

    Parameters:
        base: the code that runs the loop.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or not hasattr(signal, "pthread_kill") or signal.getsignal(signal.SIGURG) is None:
        yield NoAlarm()
        return
    made = Alarm(base)
    before: Any = signal.signal(signal.SIGURG, made.answer)
    try:
        yield made
    finally:
        signal.signal(signal.SIGURG, before)
