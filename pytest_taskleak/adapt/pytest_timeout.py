"""How is something told before pytest-timeout fails a test, or ends the process?

Its timer was set a moment ago, by its own hook, and fires in its own way: a signal handler, or a thread.
Either is made to call us first.  What it does then stays its own.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytest_taskleak.adapt import signals

PLUGIN = "timeout"
"""The name of its entry point."""
Tell = Callable[[FrameType | None], None]


def is_loaded(config: Any) -> bool:
    """Tell whether pytest-timeout takes part."""
    manager = config.pluginmanager
    return any(manager.has_plugin(name) for name in (PLUGIN, "pytest_timeout"))


def before(item: Any, settings: Any, tell: Tell) -> None:
    """Let `tell` be called when the timer of an item fires; with the interrupted frame, if there is one.

    Parameters:
        item: the test whose timer was set.
        settings: pytest-timeout's.
        tell: must not raise.
    """
    if settings.method == "signal" and threading.current_thread() is threading.main_thread():
        by_signal(tell)
    else:
        by_thread(f"pytest_timeout {item.nodeid}", tell)


def by_signal(tell: Tell) -> None:
    """Put a handler before the one that was just installed."""
    theirs = signal.getsignal(signal.SIGALRM)
    if not callable(theirs):
        return

    def handle(number: int, frame: FrameType | None) -> Any:
        __tracebackhide__ = True
        tell(frame)
        return theirs(number, frame)

    with signals.quietly():
        signal.signal(signal.SIGALRM, handle)


def by_thread(name: str, tell: Tell) -> None:
    """Put a call before that of the timer thread that was just started; it is known by its name."""
    timer = next((t for t in threading.enumerate() if t.name == name), None)
    if not isinstance(timer, threading.Timer):
        return
    theirs = timer.function

    def fire(*args: Any, **options: Any) -> Any:
        tell(None)
        return theirs(*args, **options)

    timer.function = fire
