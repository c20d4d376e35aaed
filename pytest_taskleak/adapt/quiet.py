"""How do the thousand runs of a sweep not fill logs and the output of a test?

What a service logs in each of them would go to files and terminals as often.  While this is installed,
handlers that were there before hear nothing of what is logged on a simulated loop, and those that are made
there, a part of the service, may hear, but not write to files or terminals.  What is printed there is kept up
to a length: that of the first runs.  All other threads and loops log and print as ever, and no level, logger
or handler of the user's is touched.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

from pytest_taskleak.adapt.hermetic import HermeticLoop

MOST_PRINTED = 20_000
"""Characters that a sweep may print to each of stdout and stderr."""
NO_MORE = "\n(taskleak: what the storm prints from here on is not kept; --taskleak-replay shows one run)\n"


class Quiet:
    """Keeps records from handlers and prints from streams, from its installation to its end."""

    def __init__(self) -> None:
        self._thread = 0
        self._before: Any = None
        self._ours: Any = None
        self._streams: list[tuple[Any, Any]] = []

    def __enter__(self) -> None:
        self._thread = threading.get_ident()
        original = self._before = logging.Handler.handle
        known, holds = {id(handler): handler for handler in handlers()}, self._holds

        def handle(self: logging.Handler, record: logging.LogRecord) -> Any:
            if holds() and (id(self) in known or writes(self)):
                return False
            return original(self, record)

        self._ours = logging.Handler.handle = handle  # type: ignore[method-assign]
        for stream in (sys.stdout, sys.stderr):
            self._limit(stream)

    def __exit__(self, *_: object) -> None:
        while self._streams:
            stream, ours = self._streams.pop()
            if vars(stream).get("write") is ours:
                del stream.write
        if logging.Handler.handle is self._ours:  # else somebody else has replaced it since
            logging.Handler.handle = self._before  # type: ignore[method-assign]

    def _holds(self) -> bool:
        """Tell whether it is a run of the sweep that logs or prints."""
        return threading.get_ident() == self._thread and isinstance(asyncio._get_running_loop(), HermeticLoop)

    def _limit(self, stream: Any) -> None:
        """Let a stream take only so much; a terminal takes all, and so does one that has its own `write`."""
        try:
            if stream.isatty() or "write" in vars(stream):
                return
        except (AttributeError, TypeError, ValueError):  # none, closed, or of another make
            return
        original, holds, left = stream.write, self._holds, MOST_PRINTED

        def write(text: str) -> Any:
            nonlocal left
            if not holds():
                return original(text)
            if left <= 0:
                return len(text)
            left -= len(text)
            return original(text if left > 0 else f"{text}{NO_MORE}") and len(text)

        try:
            stream.write = write
        except AttributeError:
            return
        self._streams.append((stream, write))


def handlers() -> Iterator[logging.Handler]:
    """Yield the handlers of all loggers."""
    root = logging.getLogger()
    for logger in (root, *list(root.manager.loggerDict.values())):
        if isinstance(logger, logging.Logger):
            yield from logger.handlers


def writes(handler: logging.Handler) -> bool:
    """Tell whether a handler writes to a file or a terminal, and not into memory."""
    return isinstance(handler, logging.StreamHandler) and not isinstance(
        getattr(handler, "stream", None), io.StringIO
    )
