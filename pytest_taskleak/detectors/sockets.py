"""Which sockets are left open?

Those that a loop makes for itself, and those that a transport or a server of a loop has taken over, do
not count: these answer for them.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import sockets
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.model import Code, Resource


class Sockets(Detector):
    """Sockets of the `socket` module, TLS or not."""

    kind = "socket"
    rank = 80
    collectable = True
    codes: ClassVar = {
        "TL521": Code(
            title="socket left open",
            meaning="A socket was still open when its owner's scope had closed.",
            cause="A socket made without a with statement; a client or pool that nobody closes.",
            cure="Use the socket in a with statement, or close() it.",
            level="note",
        ),
    }

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)
        made_by_loop, pair, self_pipe = sockets.made_by_loop, sockets.PAIR, sockets.SELF_PIPE
        getframe = sys._getframe

        def wrap(original: Callable[..., None]) -> Callable[..., None]:
            # The signature of what it replaces: every loop pays for two of these.
            def __init__(  # noqa: N807 -- the name of what it replaces
                self: Any,
                family: Any = -1,
                type: Any = -1,  # noqa: A002
                proto: Any = -1,
                fileno: Any = None,
            ) -> None:
                original(self, family, type, proto, fileno)
                frame = getframe(1)
                if frame.f_code is pair and getframe(2).f_code is self_pipe:
                    return  # every loop of asyncio has two of these
                if not made_by_loop(frame):
                    record(self, frame)

            return __init__

        yield Patch(lambda: [sockets.Socket], "__init__", wrap, "sockets")

    def alive(self, thing: Any) -> bool:
        return sockets.fileno(thing) != -1 and not sockets.is_carried(thing)

    def patience(self, thing: Any) -> float:
        return float("inf")  # nothing but code of its owner closes it

    def helper(self, thing: Any) -> bool:
        return True

    def describe(self, thing: Any) -> Resource:
        local, remote = map(sockets.readable, sockets.addresses(thing))
        listening = sockets.listens(thing)
        state = "listening" if listening else "connected" if remote else "not connected"
        rows = (("local", local), ("remote", remote), ("state", state))
        return Resource(
            code="TL521",
            name=f"{sockets.type_of(thing)} socket",
            what=type(thing).__qualname__,
            module=type(thing).__module__,
            state="is still open",
            details=tuple((label, text) for label, text in rows if text),
        )

    def advice(self, resource: Resource) -> str:
        return "use the socket in a with statement, or close() it"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        ours, other = socket.socketpair()
        try:
            yield ours
        finally:
            ours.close()
            other.close()


detector = Sockets()
