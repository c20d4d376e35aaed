"""What is read of a socket, and did a loop make it for itself?

No method of a subclass is called: what the system says comes through the C type.
"""

import socket
import sys
import weakref
from asyncio import selector_events
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from pytest_taskleak.adapt.asyncio_ import running_loop
from pytest_taskleak.adapt.code import LOOP, kind_of
from pytest_taskleak.safely import is_a

Socket = socket.socket
"""The real class: tests may put another one in its place."""
RAW: Any = Socket.__mro__[1]

PAIR: Any = getattr(socket.socketpair, "__code__", None)
_ACCEPT: Any = getattr(Socket.accept, "__code__", None)
SELF_PIPE: Any = getattr(
    getattr(selector_events.BaseSelectorEventLoop, "_make_self_pipe", None), "__code__", None
)
_MAKERS = frozenset({
    "_accept_connection",
    "_connect_sock",
    "_start",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
})  # fmt: skip
_TRIO = "_wakeup_socketpair.py"
_FAMILIES: dict[tuple[int, int], str] = {
    (socket.AF_INET, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET6, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET, socket.SOCK_DGRAM): "udp",
    (socket.AF_INET6, socket.SOCK_DGRAM): "udp",
}
_UNIX: Any = getattr(socket, "AF_UNIX", None)

carried: weakref.WeakSet[Any] = weakref.WeakSet()
"""The sockets that a transport or a server of a loop has taken over; these answer for them."""


# --- whose --------------------------------------------------------------------------------------


def take_over(sockets: Iterable[Any]) -> None:
    """Remember that a transport or a server answers for these sockets."""
    for own in sockets:
        # Without a weak reference to it nobody has noticed its birth, as for those that loops make.
        if is_a(own, Socket) and weakref.getweakrefcount(own):
            try:
                carried.add(own)
            except TypeError:  # a class of the user that cannot be hashed
                continue


def is_carried(own: Any) -> bool:
    """Tell whether a transport or a server answers for a socket."""
    try:
        return own in carried
    except TypeError:
        return False


def made_by_loop(caller: FrameType) -> bool:
    """Tell whether a loop makes a socket to wake itself, or for a transport or server of its own.

    The pair that a stock loop makes has been ruled out before, by `PAIR` and `SELF_PIPE`.

    Parameters:
        caller: the frame that calls the constructor.
    """
    code = caller.f_code
    if code is PAIR or code is _ACCEPT:
        above = caller.f_back
        if above is None:
            return False
        if code is PAIR and wakes_loop(above):
            return True
        code = above.f_code
    return code.co_name in _MAKERS and kind_of(code.co_filename) == LOOP


def wakes_loop(caller: FrameType) -> bool:
    """Tell whether a socket pair wakes up trio's loop, or a uvloop that begins to run.

    A uvloop makes it while its hooks are set and no loop is said to run yet, which no other code sees.
    """
    if caller.f_code.co_filename.endswith(_TRIO):
        return True
    hook = sys.get_asyncgen_hooks().firstiter
    if hook is None or running_loop() is not None:
        return False
    return type(getattr(hook, "__self__", None)).__module__.partition(".")[0] == "uvloop"


# --- looking ------------------------------------------------------------------------------------


def fileno(own: Any) -> int:
    """Return the descriptor of a socket, -1 once it is closed or detached."""
    return int(RAW.fileno(own))


def descriptor(given: Any) -> int:
    """Return the descriptor of what was handed to a loop, as the loop itself works it out; -1 if closed."""
    if is_a(given, int):
        return int(given)
    try:
        return fileno(given) if is_a(given, Socket) else int(given.fileno())
    except (AttributeError, OSError, TypeError, ValueError):
        return -1


def type_of(own: Any) -> str:
    """Return the word for the sort of a socket: tcp, udp, unix, or its family's number."""
    family, kind = int(RAW.family.__get__(own)), int(RAW.type.__get__(own))
    if family == _UNIX:
        return "unix"
    return _FAMILIES.get((family, kind), f"family {family}")


def addresses(own: Any) -> tuple[Any, Any]:
    """Return the local and the remote address of a socket, as far as it has them."""
    return asked(RAW.getsockname, own), asked(RAW.getpeername, own)


def listens(own: Any) -> bool:
    """Tell whether a socket waits for connections."""
    option = getattr(socket, "SO_ACCEPTCONN", None)
    return option is not None and bool(asked(RAW.getsockopt, own, socket.SOL_SOCKET, option))


def asked(how: Callable[..., Any], *args: Any) -> Any:
    """Return what the system says of a socket, `None` where it says nothing."""
    try:
        return how(*args)
    except OSError:
        return None


# --- telling ------------------------------------------------------------------------------------


def readable(address: Any) -> str:
    """Return an address as people write it, an empty string where it says nothing."""
    if is_a(address, tuple) and len(address) > 1:
        host, port = str(address[0]), address[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if is_a(address, bytes):
        return "@" + address.removeprefix(b"\0").decode("utf-8", "replace") if address else ""
    return str(address) if address else ""


def host(address: Any) -> str:
    """Return the part of an address that is the same in every run."""
    return str(address[0]) if is_a(address, tuple) and address else ""
