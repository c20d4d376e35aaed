"""What is a connection that lies in memory, and behaves as one of TCP does?

What is written comes after a virtual while, in its order; who reads too slowly is waited for; each side can
end its half, close, or reset.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from pytest_taskleak.storm.lines import SLOW

HIGH, LOW = 65_536, 16_384
"""Bytes on their way at which the writer is told to pause, and to go on."""
SEGMENT = 16_384
"""Most bytes that come at once."""
END, RESET = object(), object()
"""What comes after the last bytes, and what comes in place of all that was on its way."""


class Way:
    """One direction of a connection: what is on its way from one end to the other.

    Parameters:
        loop: the simulated loop.
        delay: returns the virtual seconds that a piece takes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: Callable[[], float]) -> None:
        self._loop, self._delay = loop, delay
        self.source: MemoryTransport | None = None
        self.target: MemoryTransport | None = None
        self.size = 0
        self.high, self.low = HIGH, LOW
        self._pieces: deque[Any] = deque()
        self._come = 0
        self._last = 0.0

    def send(self, piece: Any) -> None:
        """Put bytes, an end or a reset on the way."""
        if piece is not END and piece is not RESET:
            self.size += len(piece)
        self._pieces.append(piece)
        self._last = max(self._last, self._loop.time() + self._delay())  # none overtakes another
        self._loop.call_at(self._last, self._arrive)

    def drop(self) -> None:
        """Forget what is on its way."""
        self._come -= len(self._pieces)
        self._pieces.clear()
        self.size = 0

    def _arrive(self) -> None:
        self._come += 1
        self.deliver()

    def deliver(self) -> None:
        """Hand over what has come, as far as it is wanted."""
        target = self.target
        while target is not None and self._come > 0 and self._pieces:
            piece = self._pieces[0]
            if (target.paused or target.stalled) and piece is not RESET:
                return
            self._pieces.popleft()
            self._come -= 1
            if piece is not END and piece is not RESET:
                self.size -= len(piece)
            target.take(piece)
            if self.source is not None:
                self.source.sent()


class MemoryTransport(asyncio.Transport):
    """One end of a connection in memory.

    Parameters:
        loop: the simulated loop.
        protocol: is told what comes.
        incoming: what comes from the other end.
        outgoing: what goes there.
        extra: what `get_extra_info` tells.
        closed: called once, when this end is closed, reset or lost.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        incoming: Way,
        outgoing: Way,
        *,
        extra: dict[str, Any],
        closed: Callable[[], object],
    ) -> None:
        super().__init__(extra)
        self._loop, self._protocol = loop, protocol
        self._incoming, self._outgoing = incoming, outgoing
        incoming.target = outgoing.source = self
        self._told_closed = closed
        self.paused = False
        self.stalled = False
        """Whether nothing is taken, whatever the protocol wants."""
        self.kept: Callable[[], object] | None = None
        """Set where whoever is done with this end does not close it: open and unread it stays; is told so."""
        self._mute = False  # whether what is written goes nowhere
        self._held = False  # whether the protocol was told to pause writing
        self._closing = self._lost = self._ended = self._refused = False

    # --- what comes ---------------------------------------------------------------------------------

    def take(self, piece: Any) -> None:
        """Take what has come from the other end."""
        protocol: Any = self._protocol
        if piece is RESET:
            if not self._lost:
                self._end(ConnectionResetError("the other end has reset the connection"))
        elif self._closing:
            if piece is not END and not self._refused:
                self._refused = True
                self._outgoing.send(RESET)  # nobody reads here any more
        elif piece is not END:
            protocol.data_received(piece)
        elif not protocol.eof_received():
            self.close()

    def tell_closed(self, closed: Callable[[], object]) -> None:
        """Let something else be called once when this end is closed, reset or lost."""
        self._told_closed = closed

    def pause_reading(self) -> None:
        """Leave on its way what comes."""
        self.paused = True

    def resume_reading(self) -> None:
        """Take again what comes."""
        if self.paused:
            self.paused = False
            self._loop.call_soon(self._incoming.deliver)

    def is_reading(self) -> bool:
        """Tell whether it takes what comes."""
        return not (self.paused or self._closing)

    # --- what goes ----------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send bytes.

        Raises:
            RuntimeError: this half was ended before.
        """
        if self._mute:
            return
        if self._ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        piece = bytes(data)
        if not piece or self._closing:
            return
        for start in range(0, len(piece), SEGMENT):
            self._outgoing.send(piece[start : start + SEGMENT])
        if self._outgoing.size > self._outgoing.high and not self._held:
            self._held = True
            self._protocol.pause_writing()

    def sent(self) -> None:
        """Note that some of what was sent has been taken."""
        if self._closing:
            self._flushed()
        elif self._held and self._outgoing.size <= self._outgoing.low:
            self._held = False
            self._protocol.resume_writing()

    def write_eof(self) -> None:
        """End this half: the other end may still send."""
        if not (self._ended or self._closing):
            self._ended = True
            self._outgoing.send(END)

    def can_write_eof(self) -> bool:
        """Tell that a half can be ended."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return the bytes that are on their way."""
        return self._outgoing.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the limits at which the writer goes on, and pauses."""
        return self._outgoing.low, self._outgoing.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits at which the writer pauses, and goes on."""
        if high is None:
            high = HIGH if low is None else 4 * low
        low = high // 4 if low is None else low
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._outgoing.high, self._outgoing.low = high, low

    # --- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Send what is left, and close."""
        if self._closing:
            return
        if self.kept is not None:
            self._keep(self.kept)
            return
        if not self._ended:
            self._outgoing.send(END)
        self._shut()
        self._flushed()

    def abort(self) -> None:
        """Reset the connection: what is on its way is lost."""
        if not self._lost:
            self._outgoing.drop()
            self._outgoing.send(RESET)
            self._end(None)

    def _keep(self, kept: Callable[[], object]) -> None:
        """Let this end be done with, and the other one hear nothing of it."""
        self.stalled = self._closing = self._lost = True
        kept()
        self._told_closed()
        self._loop.call_soon(self._protocol.connection_lost, None)

    def leave(self, way: str) -> None:
        """Do what a client does that leaves in the middle.

        Parameters:
            way: one of `lines.STREAM`.
        """
        if way == "half":  # what is still written is lost
            self.write_eof()
            self._mute = True
        elif way == "reset":
            self.abort()
        else:
            self.stalled = True
            self._loop.call_later(SLOW, self._go_on)

    def _go_on(self) -> None:
        self.stalled = False
        self._incoming.deliver()

    def is_closing(self) -> bool:
        """Tell whether it is closed, or about to be; with its loop it has ended in any case."""
        return self._closing or self._loop.is_closed()

    def _flushed(self) -> None:
        """Let go of a closed connection once the other end can hold what is left."""
        if not self._lost and self._outgoing.size <= self._outgoing.high:
            self._end(None)

    def _shut(self) -> None:
        """Read no more: what still comes is answered with a reset."""
        self._closing = True
        self._told_closed()
        self.paused = self.stalled = False
        self._loop.call_soon(self._incoming.deliver)

    def _end(self, error: Exception | None) -> None:
        if not self._closing:
            self._shut()
        self._lost = True
        self._loop.call_soon(self._protocol.connection_lost, error)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell another protocol from here on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return self._protocol
