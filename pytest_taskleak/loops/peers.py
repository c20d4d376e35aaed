"""Who is at the other end of a descriptor: somebody in this process, somebody outside, or nobody?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_taskleak.adapt import child_waits
from pytest_taskleak.adapt.sockets import readable
from pytest_taskleak.adapt.wires import Traffic
from pytest_taskleak.loops import descriptors
from pytest_taskleak.loops.descriptors import PIPE, TCP, UDP, UNIX, End, end_of, identity, plain

INSIDE, OUTSIDE, LISTENER, NOBODY = "inside", "outside", "listener", "nobody"
ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 -- compared with, not bound to
LOOPBACK = ("127.", "::1", "localhost")


@dataclass(slots=True)
class Wire:
    """One descriptor and who is at its other end.

    Parameters:
        fd: the descriptor.
        inode: device and inode, which tell it from a later one of the same number.
        where: inside, outside, listener or nobody.
        text: the peer in words; for a listener its own address.
        sort: socket, pipe or descriptor.
        partner: for TCP inside of this process, the descriptor of the other end; -1 without one.
        counts: whether the system may still have bytes of it in its hands.
        vague: whether it may, and nothing tells: datagrams.
        final: whether the verdict stays until it is closed.
    """

    fd: int
    inode: tuple[int, int]
    where: str
    text: str = ""
    sort: str = "socket"
    partner: int = -1
    counts: bool = False
    vague: bool = False
    final: bool = True


class Peers:
    """Finds the other ends, and remembers what it has found of each descriptor.

    Parameters:
        traffic: knows to where was connected and sent.
    """

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.wires: dict[int, Wire] = {}
        self.outside: set[int] = set()
        """Those of the wires that lead outside."""
        self._ends: dict[int, End] = {}
        self._names: dict[tuple[Any, Any], int] = {}
        self._inodes: dict[tuple[int, int], set[int]] = {}
        self._surveyed = False

    def begin(self) -> None:
        """Forget the last survey of all descriptors: there may be new ones."""
        self._surveyed = False

    def wire(self, fd: int, key: Any) -> tuple[Wire | None, Wire | None]:
        """Return what a descriptor is now, and what it was before if it is another one now.

        Parameters:
            fd: the descriptor.
            key: its registration, `None` if no loop waits for it.
        """
        before, inode = self.wires.get(fd), identity(fd)
        if before is not None and before.inode == inode:
            if before.final:
                return before, None
        elif inode is None:
            self._drop(fd)
            return None, before
        end = self._read(fd)
        found = None if end is None else self._judge(end, key)
        self._drop(fd)
        if found is not None:
            self.wires[fd] = found
            if found.where == OUTSIDE:
                self.outside.add(fd)
        same = before is not None and before.inode == inode
        return found, None if same else before

    def _drop(self, fd: int) -> None:
        self.wires.pop(fd, None)
        self.outside.discard(fd)

    def leads_outside(self, fd: int) -> bool:
        """Tell whether a socket that is closed already was connected to somebody outside."""
        target = plain(self.traffic.targets.get(fd))
        return target is not None and not self._listens_at(target, target)

    # --- the descriptors of this process --------------------------------------------------------

    def _read(self, fd: int) -> End | None:
        known = self._ends.get(fd)
        if known is not None and known.final and known.inode == identity(fd):
            return known
        if known is not None:
            self._forget(known)
        end = end_of(fd)
        if end is None:
            return None
        self._ends[fd] = end
        self._names[end.local, end.remote] = fd
        self._inodes.setdefault(end.inode, set()).add(fd)
        return end

    def _forget(self, end: End) -> None:
        del self._ends[end.fd]
        names, fds = (end.local, end.remote), self._inodes.get(end.inode, set())
        if self._names.get(names) == end.fd:
            del self._names[names]
        fds.discard(end.fd)
        if not fds:
            self._inodes.pop(end.inode, None)

    def _survey(self) -> bool:
        """Look at all descriptors, once a burst; tell whether that was done just now."""
        if self._surveyed:
            return False
        self._surveyed = True
        listed = set(descriptors.own_fds())
        for fd in listed.union(self._ends):
            self._read(fd)
        self._names = {(end.local, end.remote): fd for fd, end in self._ends.items()}
        return True

    def _twice(self) -> Iterator[None]:
        """Go through what is known first, and then through all if that was not enough."""
        yield
        if self._survey():
            yield

    # --- judging --------------------------------------------------------------------------------

    def _judge(self, end: End, key: Any) -> Wire:
        child = child_waits.child_of(key) if key is not None and end.sort not in (TCP, UDP) else None
        if child is not None and child_waits.has_streams(child):
            return Wire(end.fd, end.inode, NOBODY)  # it counts while somebody waits for the process
        if end.listens:
            return Wire(end.fd, end.inode, LISTENER, readable(end.local), final=False)
        if end.sort == TCP:
            return self._tcp(end)
        if end.sort == UNIX and end.remote is not None:
            return self._unix(end)
        if end.sort in (UDP, UNIX):
            return self._datagrams(end)
        if end.sort == PIPE:
            inside = any(self._other_end(end) for _ in self._twice())
            return Wire(end.fd, end.inode, INSIDE if inside else OUTSIDE, "the other end of a pipe", "pipe")
        return Wire(end.fd, end.inode, OUTSIDE, descriptors.name_of(end.fd), "descriptor")

    def _tcp(self, end: End) -> Wire:
        if end.remote is None:
            return self._connecting(end)
        text = readable(end.remote)
        for _ in self._twice():
            partner = self._names.get((end.remote, end.local), -1)
            if partner != -1 and self._is(partner, end.remote, end.local):
                return Wire(end.fd, end.inode, INSIDE, text, partner=partner, counts=True)
        if any(descriptors.readable(fd) for fd in self._listens_at(end.remote, end.local)):
            return Wire(end.fd, end.inode, INSIDE, text, final=False)  # nobody has accepted it yet
        return Wire(end.fd, end.inode, OUTSIDE, text)

    def _connecting(self, end: End) -> Wire:
        target = plain(self.traffic.targets.get(end.fd))
        if not end.connecting:
            return Wire(end.fd, end.inode, NOBODY, final=False)
        inside = target is not None and any(
            fd in self.wires for _ in self._twice() for fd in self._listens_at(target, end.local)
        )
        where = INSIDE if inside else OUTSIDE
        return Wire(end.fd, end.inode, where, readable(target), counts=inside, final=False)

    def _unix(self, end: End) -> Wire:
        text = readable(end.remote) or readable(end.local) or "the other end of a socket pair"
        peer = descriptors.peer_inode(end.inode[1])
        if peer is None:
            inside = descriptors.is_own_credential(end.fd) and any(self._mirrors(end) for _ in self._twice())
            return Wire(end.fd, end.inode, INSIDE if inside else OUTSIDE, text, final=False)
        if peer == -1:
            return Wire(end.fd, end.inode, NOBODY, text, final=False)
        if peer and any(self._holds((end.inode[0], peer)) for _ in self._twice()):
            return Wire(end.fd, end.inode, INSIDE, text)
        listeners = [fd for _ in self._twice() for fd in self._listens_at(end.remote, end.local)] * (not peer)
        inside = any(descriptors.readable(fd) for fd in listeners)
        return Wire(end.fd, end.inode, INSIDE if inside else OUTSIDE, text, final=bool(peer))

    def _datagrams(self, end: End) -> Wire:
        sent = [end.remote] if end.remote is not None else list(self.traffic.sent.get(end.fd, ()))
        if not sent:
            return Wire(end.fd, end.inode, LISTENER, readable(end.local), final=False)
        away = next((to for to in map(plain, sent) if not self._receives_at(to)), None)
        where = INSIDE if away is None else OUTSIDE
        return Wire(end.fd, end.inode, where, readable(away), vague=end.sort == UDP, final=False)

    # --- finding --------------------------------------------------------------------------------

    def _is(self, fd: int, local: Any, remote: Any) -> bool:
        """Tell whether a descriptor is open and still is what it was found to be."""
        end = self._ends.get(fd)
        known = end is not None and (end.local, end.remote) == (local, remote)
        return known and end is not None and identity(fd) == end.inode

    def _holds(self, inode: tuple[int, int], but: int = -1) -> Iterable[int]:
        """Return the descriptors of this process that are open for a socket or a pipe."""
        return [fd for fd in self._inodes.get(inode, ()) if fd != but and identity(fd) == inode]

    def _other_end(self, end: End) -> bool:
        """Tell whether this process has the other end of a pipe."""
        others = (self._ends[fd] for fd in self._holds(end.inode, end.fd))
        return any((end.reads and other.writes) or (end.writes and other.reads) for other in others)

    def _mirrors(self, end: End) -> bool:
        """Guess by the names: can all Unix sockets of this process that have these be paired off?"""
        kin = [x for x in list(self._ends.values()) if x.sort == UNIX and identity(x.fd) == x.inode]
        own = sum((x.local, x.remote) == (end.local, end.remote) for x in kin)
        if end.local == end.remote:
            return own % 2 == 0
        return own == sum((x.remote, x.local) == (end.local, end.remote) for x in kin)

    def _listens_at(self, address: Any, local: Any) -> list[int]:
        """Return the descriptors of this process that accept connections to an address."""
        return [
            fd
            for fd, end in list(self._ends.items())
            if end.listens and reaches(address, end.local, local) and identity(fd) == end.inode
        ]

    def _receives_at(self, address: Any) -> bool:
        """Tell whether a datagram to an address arrives in this process."""
        for _ in self._twice():
            for fd, end in list(self._ends.items()):
                datagrams = end.sort == UDP or (end.sort == UNIX and not end.listens)
                if datagrams and reaches(address, end.local, None) and identity(fd) == end.inode:
                    return True
        return False


def reaches(address: Any, bound: Any, local: Any) -> bool:
    """Tell whether what goes to an address arrives at a socket that is bound to another.

    Parameters:
        address: to where it goes.
        bound: the address of the socket.
        local: from where it goes.
    """
    if address == bound:
        return bool(address)
    if not (type(address) is tuple and type(bound) is tuple) or address[1] != bound[1]:
        return False
    host = str(address[0])
    if host == "localhost":
        return str(bound[0]) in ANYWHERE or str(bound[0]).startswith(LOOPBACK)
    same = type(local) is tuple and local[0] == host
    return bound[0] in ANYWHERE and (same or host in ANYWHERE or host.startswith(LOOPBACK))
