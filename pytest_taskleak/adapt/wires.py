"""What is sent and registered while somebody looks?

Writes cause no event, so the methods by which Python code writes are replaced meanwhile; each call costs
0.2 us.  Private names of asyncio stand here once; one that is missing is left alone, and then an answer to
what it sends is waited for only from the next event on.
"""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from asyncio import selector_events
from collections.abc import Callable, Mapping
from typing import Any

from pytest_taskleak.adapt import turning
from pytest_taskleak.adapt.sockets import RAW, Socket, descriptor
from pytest_taskleak.safely import attribute, is_a

SENDING = ("send", "sendall", "shutdown")
"""The methods of a socket after which its peer may answer, here or over another connection."""
CONNECTING = ("connect", "connect_ex")
SENDMSG_ALL = 4
"""Arguments of `sendmsg` with an address: buffers, ancillary data, flags, address."""
MOST_ADDRESSES = 64
ANYWHERE = ("anywhere", 0)
"""Stands for the addresses beyond those."""


class Traffic:
    """The descriptors of this process over which something went since the last look.

    Only single operations on sets and dictionaries are used, so that no thread waits for another.
    """

    def __init__(self) -> None:
        self.touched: set[int] = set()
        self.settled: dict[int, int] = {}  # fd -> inode: to register it once more is nothing new
        self.targets: dict[int, Any] = {}  # fd -> to where it was connected last
        self.sent: dict[int, set[Any]] = {}  # fd -> to where it sent datagrams

    def clear(self) -> None:
        """Forget everything."""
        for known in (self.touched, self.settled, self.targets, self.sent):
            known.clear()

    def take(self) -> set[int]:
        """Return what was touched since the last call."""
        found = set()
        while self.touched:
            try:
                found.add(self.touched.pop())
            except KeyError:  # another thread was faster
                break
        found.discard(-1)
        return found

    def came(self, events: list[Any], own: int) -> int:
        """Note the events of a selector; return how many were not those by which a loop wakes itself."""
        fds = [key.fd for key, _ in events if key.fd != own]
        self.touched.update(fds)
        return len(fds)

    def registered(self, given: Any, _fstat: Any = os.fstat) -> None:
        """Note that a loop waits for a descriptor; to wait for one again is nothing new."""
        fd = descriptor(given)
        try:
            if self.settled.get(fd) != _fstat(fd).st_ino:
                self.touched.add(fd)
        except OSError:  # closed; or a socket of Windows, of which this tells nothing
            self.touched.add(fd)

    def sent_to(self, fd: int, address: Any) -> None:
        """Note to where a datagram went."""
        self.touched.add(fd)
        known = self.sent.setdefault(fd, set())
        plain = is_a(address, tuple | str | bytes) and len(known) < MOST_ADDRESSES
        known.add(address if plain else ANYWHERE)


TRAFFIC = Traffic()
"""That of this process."""


class Patches:
    """What was replaced in classes, to be put back exactly."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def replace(self, target: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Put in place of a method what `make` returns for it, if there is such a method."""
        original = getattr(target, name, None)
        if original is None:
            return
        ours = functools.wraps(original)(make(original))
        self._done.append((target, name, ours, vars(target).get(name, turning.ABSENT)))
        setattr(target, name, ours)

    def undo(self) -> None:
        """Put everything back, unless somebody else has replaced ours meanwhile."""
        while self._done:
            turning.restore_class(*self._done.pop())


def see_traffic(patches: Patches, traffic: Traffic) -> None:
    """Note from here on what is sent, connected and registered."""
    fileno = RAW.fileno
    touch = traffic.touched.add

    def sending(original: Any) -> Any:
        def call(own: Any, /, *args: Any) -> Any:
            touch(fileno(own))
            return original(own, *args)

        return call

    def closing(original: Any) -> Any:
        def call(own: Any, /, *args: Any) -> Any:
            fd = fileno(own)
            touch(fd)
            traffic.sent.pop(fd, None)  # the next one with this number has sent nothing yet
            return original(own, *args)

        return call

    def connecting(original: Any) -> Any:
        def call(own: Any, address: Any, /) -> Any:
            fd = fileno(own)
            traffic.targets[fd] = address
            touch(fd)
            return original(own, address)

        return call

    def sendto(original: Any) -> Any:
        def call(own: Any, /, *args: Any) -> Any:
            traffic.sent_to(fileno(own), args[-1] if args else None)
            return original(own, *args)

        return call

    def sendmsg(original: Any) -> Any:
        def call(own: Any, /, *args: Any) -> Any:
            touch(fileno(own))
            if len(args) == SENDMSG_ALL and args[-1] is not None:
                traffic.sent_to(fileno(own), args[-1])
            return original(own, *args)

        return call

    for name in SENDING:
        patches.replace(Socket, name, sending)
    patches.replace(Socket, "close", closing)
    for name in CONNECTING:
        patches.replace(Socket, name, connecting)
    patches.replace(Socket, "sendto", sendto)
    patches.replace(Socket, "sendmsg", sendmsg)
    _see_loops(patches, traffic)


def _see_loops(patches: Patches, traffic: Traffic) -> None:
    """Note what loops register, and what they write past the methods of a socket."""

    def quietly(original: Any) -> Any:
        def _add_reader(loop: Any, fd: Any, /, *args: Any, **options: Any) -> Any:
            handle = original(loop, fd, *args, **options)
            traffic.registered(fd)
            return handle

        return _add_reader

    def loudly(original: Any) -> Any:  # a caller of his own: what he has sent before is not seen
        def add(loop: Any, fd: Any, /, *args: Any, **options: Any) -> Any:
            traffic.touched.add(descriptor(fd))
            return original(loop, fd, *args, **options)

        return add

    def write(original: Any) -> Any:
        def call(transport: Any, /, *args: Any, **options: Any) -> Any:
            fd = getattr(transport, "_fileno", None)
            traffic.touched.add(-1 if fd is None else fd)
            return original(transport, *args, **options)

        return call

    loops = selector_events.BaseSelectorEventLoop
    patches.replace(loops, "_add_reader", quietly)
    patches.replace(loops, "add_reader", loudly)
    patches.replace(loops, "add_writer", loudly)
    unix: Any = sys.modules.get("asyncio.unix_events")
    patches.replace(getattr(unix, "_UnixSelectorEventLoop", None), "_sock_sendfile_native", loudly)
    for name in ("write", "write_eof"):
        patches.replace(getattr(unix, "_UnixWritePipeTransport", None), name, write)


# --- loops --------------------------------------------------------------------------------------


def registered(selector: Any) -> Mapping[int, Any]:
    """Return descriptor -> key of what a selector waits for."""
    found: Any = attribute(selector, "_fd_to_key")
    if type(found) is dict:
        return dict(found)
    get_map = getattr(selector, "get_map", None)  # a proactor has none
    return {} if get_map is None else {key.fd: key for key in (get_map() or {}).values()}


def wakers(loop: Any) -> set[int]:
    """Return the descriptors by which a loop wakes itself."""
    pair = (getattr(loop, name, None) for name in ("_ssock", "_csock"))
    return {descriptor(own) for own in pair if own is not None}


def signals_of(loop: Any) -> list[int]:
    """Return the signals that a loop handles.

    Those of uvloop are in a dictionary that only the collector sees.
    """
    found = getattr(loop, "_signal_handlers", None)
    if found is None:
        tables = (thing for thing in gc.get_referents(loop) if type(thing) is dict)
        handled = (
            table for table in tables if {type(x).__name__ for x in list(table.values())} == {"Handle"}
        )
        found = next(handled, None)
    return sorted(number for number in list(found or ()) if type(number) in (int, signal.Signals))
