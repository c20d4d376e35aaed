"""What goes on outside of a loop of uvloop, that nobody sees because it is done in C?

Connections and child processes are looked at each time before time moves, and told to those who judge them.
"""

from __future__ import annotations

from typing import Any

from pytest_taskleak.adapt.uvloop import Child, Inside
from pytest_taskleak.loops.moved import Moved
from pytest_taskleak.loops.virtual import VirtualTime


class UvOutside:
    """The connections and children of one loop.

    Parameters:
        inside: what the loop holds.
        time: the virtual time that it lives in.
    """

    def __init__(self, inside: Inside, time: VirtualTime) -> None:
        self.inside = inside
        self._told: Any = time.outside
        self._moved = Moved(time)
        self._children: dict[int, Child] = {}

    def see(self, *, active: bool, connected: bool) -> None:
        """Tell what is new.

        Parameters:
            active: whether the loop has run anything since the last time.
            connected: whether the loop has a connection, or watches a socket.
        """
        if connected:
            own = self.inside.own_sockets()
            self._moved.see((fd for fd in self.inside.sockets() if fd not in own), active=active)
        if self._children or any(self.inside.groups):
            self._see_children()

    def _see_children(self) -> None:
        found = {id(transport): transport for transport in self.inside.processes()}
        for key in [key for key in self._children if key not in found]:
            self._children.pop(key).end()
        for key, transport in found.items():
            child = self._children.get(key)
            if child is None:
                child = self._children[key] = Child(transport)
                self._told.children.note(child)
            else:
                child.look(transport)
