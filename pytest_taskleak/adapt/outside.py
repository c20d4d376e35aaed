"""Which calls reach outside of a simulated loop past the loop itself, and how are they refused?

Threads, child processes and blocking sockets know nothing of the loop that runs.  While a storm is under way,
their beginnings look which loop that is; on any other, and in any other thread, they do what they always do.
Signals are answered in the same way, see `outside_signals`.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import outside_signals
from pytest_taskleak.adapt.hermetic import HermeticLoop

WAYS: tuple[tuple[type, str, str], ...] = (
    (threading.Thread, "start", "threading.Thread.start()"),
    (subprocess.Popen, "__init__", "subprocess.Popen()"),
    (socket.socket, "connect", "socket.connect()"),
    (socket.socket, "bind", "socket.bind()"),
)
"""Class, method, and what it is called where it is refused."""


class Outside:
    """Refuses what reaches outside, from its installation to its end."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Begin."""
        for kind, name, told in WAYS:
            self._undo.append(replaced(kind, name, told))
        self._undo += outside_signals.install()

    def uninstall(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()


def replaced(kind: type, name: str, told: str) -> Callable[[], None]:
    """Let a method refuse where a simulated loop runs; return what undoes it."""
    own = name in vars(kind)
    original: Any = getattr(kind, name)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **options: Any) -> Any:
        loop = asyncio._get_running_loop()
        if isinstance(loop, HermeticLoop):
            loop._refuse(told)
        return original(self, *args, **options)

    setattr(kind, name, method)

    def undo() -> None:
        if getattr(kind, name) is not method:
            return  # somebody else has replaced it since
        if own:
            setattr(kind, name, original)
        else:
            delattr(kind, name)

    return undo
