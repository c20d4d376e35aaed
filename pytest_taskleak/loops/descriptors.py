"""What does the system say of one descriptor of this process?

No object of the user is asked: sockets are looked at by their number.  The system's calls are bound as
default arguments, where tools that forbid them in a loop, or fake the file system, cannot reach them.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_taskleak.adapt.sockets import RAW, asked

Result = TypeVar("Result")
WINDOWS = sys.platform == "win32"
TCP, UDP, UNIX, PIPE, OTHER = "tcp", "udp", "unix", "pipe", "other"

INET = (socket.AF_INET, socket.AF_INET6)
LOCAL_FAMILY: Any = getattr(socket, "AF_UNIX", None)
INFO: Any = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
INFO_SIZE = 216
SYN_SENT, CLOSED = 2, 7
RECEIVED, UNSENT, SENT = 128, 144, 200
"""Where the kernel's `struct tcp_info` tells the bytes received, not sent yet, and sent and sent again."""
MAPPED = "::ffff:"
WAITING, BACKLOG = 0x541B, 0x5411
"""Linux's FIONREAD and TIOCOUTQ: bytes that wait to be read, and bytes that are not acknowledged yet."""
DIAGNOSIS, DUMP, BY_FAMILY, PEER, SHOW_PEER = 4, 1, 20, 2, 4
ANY = 0xFFFFFFFF
HEADERS = 32
"""Bytes of an answer before its attributes."""


@dataclass(slots=True)
class End:
    """What one descriptor is.

    Parameters:
        fd: its number.
        inode: device and inode, which tell it from a later one of the same number.
        sort: tcp, udp, unix, pipe or other.
        local: its own address.
        remote: that of its peer, `None` if it is not connected.
        listens: whether it waits for connections.
        connecting: whether its connection is being made.
        reads: for a pipe, whether it is read from here.
        writes: for a pipe, whether it is written to here.
    """

    fd: int
    inode: tuple[int, int]
    sort: str
    local: Any = None
    remote: Any = None
    listens: bool = False
    connecting: bool = False
    reads: bool = False
    writes: bool = False

    @property
    def final(self) -> bool:
        """Whether it stays as it is until it is closed."""
        return self.sort in (PIPE, OTHER) or (self.remote is not None and self.sort != UDP)


def identity(fd: int, _fstat: Any = os.fstat) -> tuple[int, int] | None:
    """Return device and inode of a descriptor, `None` if it is closed."""
    try:
        told = _fstat(fd)
    except OSError:
        return borrowed(fd, _names) if WINDOWS else None
    return told.st_dev, told.st_ino


def end_of(fd: int, _fstat: Any = os.fstat) -> End | None:
    """Return what a descriptor is, `None` if it is closed."""
    try:
        told = _fstat(fd)
    except OSError:
        names = identity(fd)
        return None if names is None else borrowed(fd, lambda own: _socket(fd, names, own))
    inode = (told.st_dev, told.st_ino)
    if stat.S_ISSOCK(told.st_mode):
        return borrowed(fd, lambda own: _socket(fd, inode, own)) or End(fd, inode, OTHER)
    if stat.S_ISFIFO(told.st_mode):
        import fcntl

        access = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
        return End(fd, inode, PIPE, reads=access != os.O_WRONLY, writes=access != os.O_RDONLY)
    return End(fd, inode, OTHER)


def own_fds(_listdir: Any = os.listdir) -> Iterator[int]:
    """Yield the descriptors that this process has; none where the system does not list them."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            yield from [int(name) for name in _listdir(folder) if name.isdigit()]
        except OSError:
            continue
        return


def name_of(fd: int, _readlink: Any = os.readlink) -> str:
    """Return the system's word for a descriptor that is neither socket nor pipe."""
    try:
        return str(_readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        return "something else"


def crowding(_open: Any = os.open, _read: Any = os.read, _close: Any = os.close) -> float:
    """Return how many threads want each processor of this machine just now: 1 if there is no queue."""
    try:
        fd = _open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, AttributeError):
        return 1.0
    try:
        running = int(_read(fd, 100).split()[3].partition(b"/")[0])
    except (OSError, IndexError, ValueError):
        return 1.0
    finally:
        _close(fd)
    return max(1.0, running / (os.cpu_count() or 1))


def borrowed(fd: int, how: Callable[[Any], Result]) -> Result | None:
    """Return what `how` says of the socket with this number, `None` if there is none; it stays open."""
    try:
        own = RAW(fileno=fd)
    except OSError:
        return None
    try:
        return how(own)
    except OSError:
        return None
    finally:
        own.detach()


def _names(own: Any) -> tuple[int, int]:
    """Return what tells a socket from a later one where the system has no inodes."""
    return hash(asked(own.getsockname)), hash(asked(own.getpeername))


def _socket(fd: int, inode: tuple[int, int], own: Any) -> End:
    family, kind = int(own.family), int(own.type)
    local, remote = plain(asked(own.getsockname)), plain(asked(own.getpeername))
    stream = kind == socket.SOCK_STREAM
    if family in INET and stream:
        sort = TCP
    elif family in INET and kind == socket.SOCK_DGRAM:
        sort = UDP
    else:
        sort = UNIX if family == LOCAL_FAMILY else OTHER
    option = getattr(socket, "SO_ACCEPTCONN", None)
    idle = remote is None and sort != OTHER
    listens = idle and option is not None and bool(asked(own.getsockopt, socket.SOL_SOCKET, option))
    connecting = idle and sort == TCP and not listens and _state(own) == SYN_SENT
    return End(fd, inode, sort, local, remote, listens, connecting)


def plain(address: Any) -> Any:
    """Return an address so that both ends call it the same: host and port, IPv4 as IPv4."""
    if type(address) is tuple and len(address) > 1:
        host, port = address[0], address[1]
        return (host.removeprefix(MAPPED) if type(host) is str else host), port
    return address


# --- what is on its way -------------------------------------------------------------------------


def _state(own: Any) -> int:
    told = asked(own.getsockopt, socket.IPPROTO_TCP, INFO, 1) if INFO is not None else None
    return told[0] if told else 0


def is_connecting(fd: int) -> bool:
    """Tell whether the connection of a socket is still being made."""
    return borrowed(fd, _state) == SYN_SENT


@dataclass(slots=True)
class Count:
    """What one end of a connection has passed on, in bytes.

    Parameters:
        sent: those handed to the network, each once.
        unsent: those that wait here for room at the other end.
        received: those that have arrived here.
        closed: whether the connection is no more.
    """

    sent: int
    unsent: int
    received: int
    closed: bool

    def moves_to(self, fd: int, other: Count) -> bool:
        """Tell whether the system has something in its hands for the other end, which is this descriptor.

        A reader that has something to read and does not is what the sender waits for: then it has nothing.
        """
        moves = self.unsent > 0 or self.sent > other.received
        return moves and not other.closed and queued(fd, WAITING) <= 0


def count_of(fd: int) -> Count | None:
    """Return what an end of a connection has passed on, `None` where the system does not tell that."""
    if INFO is None:
        return None
    told = borrowed(fd, lambda own: own.getsockopt(socket.IPPROTO_TCP, INFO, INFO_SIZE))
    if told is None or len(told) < INFO_SIZE:
        return None
    sent, again = struct.unpack_from("=QQ", told, SENT)
    (received,) = struct.unpack_from("=Q", told, RECEIVED)
    (unsent,) = struct.unpack_from("=I", told, UNSENT)
    return Count(sent - again, unsent, received, told[0] == CLOSED)


def queued(fd: int, what: int) -> int:
    """Return how many bytes stand in a queue of a socket (`WAITING`, `BACKLOG`); -1 if that is not told."""
    if sys.platform != "linux":
        return -1
    import fcntl

    try:
        told: tuple[int] = struct.unpack("i", fcntl.ioctl(fd, what, bytes(4)))
    except OSError:
        return -1
    return told[0]


def readable(fd: int) -> bool:
    """Tell whether something waits at a descriptor, as a connection that nobody has accepted."""
    try:
        poll = select.poll()
    except AttributeError:  # Windows
        return bool(select.select([fd], [], [], 0)[0])
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


# --- Unix sockets -------------------------------------------------------------------------------


def peer_inode(inode: int) -> int | None:
    """Return the inode of a Unix socket's peer: 0 if nobody has accepted yet, -1 without one.

    Linux tells it by its socket diagnosis (`man 7 sock_diag`); `None` where it does not.
    """
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return None
    body = struct.pack("=BBHIIIII", LOCAL_FAMILY, 0, 0, ANY, inode & ANY, SHOW_PEER, ANY, ANY)
    head = struct.pack("=IHHII", 16 + len(body), BY_FAMILY, DUMP, 1, 0)
    try:
        link = RAW(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, DIAGNOSIS)
    except OSError:
        return None
    try:
        link.settimeout(1)
        link.send(head + body)
        answer = link.recv(4096)
    except OSError:
        return None
    finally:
        link.close()
    return _peer_in(answer)


def _peer_in(answer: bytes) -> int | None:
    """Return the peer of an answer to a diagnosis."""
    if len(answer) < HEADERS or struct.unpack_from("=H", answer, 4)[0] != BY_FAMILY:  # an error
        return None
    end, at = min(len(answer), struct.unpack_from("=I", answer)[0]), HEADERS
    while at + 4 <= end:
        size, kind = struct.unpack_from("=HH", answer, at)
        if kind == PEER:
            found: int = struct.unpack_from("=I", answer, at + 4)[0]
            return found
        at += max(4, size + 3 & ~3)
    return -1


def is_own_credential(fd: int) -> bool:
    """Tell whether the peer of a Unix socket was made by this process, as far as the system says."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    told = borrowed(fd, lambda own: own.getsockopt(socket.SOL_SOCKET, option, 12))
    return told is not None and struct.unpack("=iII", told)[0] == os.getpid()
