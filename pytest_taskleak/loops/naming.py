"""Does a loop of uvloop look up a name, or connect by one?

libuv does that in threads of its own, which no Python code can see; so the loop's methods that do it are
counted while somebody awaits them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pytest_taskleak.loops.settings import Settings
from pytest_taskleak.loops.wait import Wait
from pytest_taskleak.timing import now as real_now

LOOKS_UP = ("getaddrinfo", "getnameinfo")
CONNECTS = ("create_connection", "create_datagram_endpoint", "create_server")


class Naming:
    """The calls of one loop that look up names.

    Parameters:
        settings: say how long such a call may take.
    """

    methods = LOOKS_UP + CONNECTS

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.calls: dict[object, tuple[str, float]] = {}

    def wrap(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return what counts the calls of one method."""

        @functools.wraps(original)
        async def method(*args: Any, **options: Any) -> Any:
            call = object()
            self.calls[call] = (name, real_now())
            try:
                return await original(*args, **options)
            finally:
                del self.calls[call]

        return method

    def look(self) -> Wait | None:
        """Return a call that is under way, `None` if there is none."""
        if not self.calls:
            return None
        now = real_now()
        for name, began in self.calls.values():
            if name in LOOKS_UP:
                return Wait("pool", f"loop.{name}() looks up a name", limit=self.settings.hang_after)
            if now - began < self.settings.io_grace:  # the name is known by then, or the peer does not answer
                return Wait("peer", f"loop.{name}() waits for a name or a peer")
        return None
