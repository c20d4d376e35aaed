"""Has a file descriptor something to say, and who is at its other end: this process, or somebody else?

A descriptor is looked at from outside, while a thread or a loop waits for it: nothing is read from it.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_taskleak.adapt.sockets import RAW, asked, listens

READ = getattr(select, "POLLIN", 1)
WRITE = getattr(select, "POLLOUT", 4)
_listdir, _readlink = os.listdir, getattr(os, "readlink", str)
"""Out of reach of tools that forbid a loop to call what may block."""
_poll: Any = getattr(select, "poll", None)
_FDS = "/proc/self/fd"
_LOCAL = ("127.", "::1", "::ffff:127.")
_CHILD = "anon_inode:[pidfd]"


def silent(watched: Iterable[tuple[int, int]]) -> bool:
    """Tell whether none of some (descriptor, events) is ready just now; `False` where that cannot be told."""
    if _poll is None:
        return False
    poll = _poll()
    try:
        for fd, events in watched:
            poll.register(fd, events)
        return not poll.poll(0)
    except (OSError, ValueError, TypeError):
        return False


def is_ours(fd: int) -> bool:
    """Tell whether nobody outside of this process could make a descriptor ready, as far as is known.

    A listener and a socket that is not connected wait for nobody in particular: these are ours.
    """
    link = _link(fd)
    if link.startswith("pipe:"):
        return any(other != fd and _link(other) == link and _writes(other) for other in _open_fds())
    if not link.startswith("socket:"):
        return link != _CHILD
    with _borrowed(fd) as own:
        return own is None or _peer_is_ours(own, fd)


def _peer_is_ours(own: Any, fd: int) -> bool:
    if listens(own):
        return True
    family = int(RAW.family.__get__(own))
    if family == getattr(socket, "AF_UNIX", None):
        option = getattr(socket, "SO_PEERCRED", None)
        said = None if option is None else asked(RAW.getsockopt, own, socket.SOL_SOCKET, option, 4)
        return not said or int.from_bytes(said, "little") in (0, os.getpid())
    here, peer = asked(RAW.getsockname, own), asked(RAW.getpeername, own)
    if type(peer) is not tuple or type(here) is not tuple:
        return True
    if peer[0] != here[0] and not str(peer[0]).startswith(_LOCAL):
        return False
    return any(other != fd and _port(other) == peer[1] for other in _open_fds())


def _port(fd: int) -> int:
    """Return the local port of a socket, -1 if it is none."""
    if not _link(fd).startswith("socket:"):
        return -1
    with _borrowed(fd) as own:
        name = None if own is None else asked(RAW.getsockname, own)
    return int(name[1]) if type(name) is tuple and len(name) > 1 else -1


@contextmanager
def _borrowed(fd: int) -> Iterator[Any]:
    """Give a socket object upon somebody's descriptor, which stays theirs."""
    try:
        own = RAW(-1, -1, -1, fd)
    except OSError:
        own = None
    try:
        yield own
    finally:
        if own is not None:
            own.detach()


def _open_fds() -> list[int]:
    try:
        return [int(name) for name in _listdir(_FDS)]
    except OSError:
        return []


def _link(fd: int) -> str:
    try:
        return _readlink(f"{_FDS}/{fd}")
    except OSError:
        return ""


def _writes(fd: int) -> bool:
    import fcntl

    try:
        return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR))
    except OSError:
        return False
