"""What of servers, transports and registrations is read, on stock loops and on uvloop?

Every private name stands here once and is read with a fallback.  uvloop's objects have no attributes;
what they hold is found among their referents.
"""

import asyncio
import contextlib
import gc
import sys
import weakref
from asyncio import selector_events, sslproto
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import CellType, FunctionType
from typing import Any

from pytest_taskleak.adapt.asyncio_ import uvloops
from pytest_taskleak.adapt.sockets import Socket
from pytest_taskleak.safely import attribute, is_a

_SSL_PROTOCOL: Any = getattr(sslproto, "SSLProtocol", ())
_UV_SSL = "SSLProtocol"
_UV_UPPER = "_SSLProtocolTransport"


# --- classes ------------------------------------------------------------------------------------


def server_classes() -> list[type]:
    """Return the class of the servers of stock loops."""
    return [asyncio.base_events.Server]


def transport_classes() -> Iterator[type]:
    """Yield the classes of the transports of stock loops."""
    unix: Any = sys.modules.get("asyncio.unix_events")
    proactor: Any = sys.modules.get("asyncio.proactor_events")
    for module, name in (
        (selector_events, "_SelectorTransport"),
        (sslproto, "_SSLProtocolTransport"),
        (unix, "_UnixReadPipeTransport"),
        (unix, "_UnixWritePipeTransport"),
        (proactor, "_ProactorBasePipeTransport"),
    ):
        found = getattr(module, name, None)
        if found is not None:
            yield found


def selector_loops() -> list[type]:
    """Return the loop classes that watch file descriptors for anybody."""
    return [selector_events.BaseSelectorEventLoop, *uvloops()]


def referent(thing: Any, kinds: Any) -> Any:
    """Return the first object of one of `kinds` that a compiled object holds."""
    return next((x for x in gc.get_referents(thing) if is_a(x, kinds)), None)


def compiled(thing: Any, name: str) -> Any:
    """Return the first object of a class of uvloop that a compiled object holds."""
    return next((x for x in gc.get_referents(thing) if of_uvloop(x, name)), None)


def of_uvloop(thing: Any, name: str) -> bool:
    """Tell whether a thing is of the class of uvloop that has this name."""
    kind = type(thing)
    return kind.__name__ == name and kind.__module__ == "uvloop.loop"


def loop_of(thing: Any) -> Any:
    """Return the loop of a server or a transport, `None` where it has let go of it."""
    if hasattr(thing, "_loop"):
        return thing._loop
    return referent(thing, asyncio.AbstractEventLoop)


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that has nothing left to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    return None


# --- servers ------------------------------------------------------------------------------------


class Factory:
    """Stands for a protocol factory, and says which protocol was made.

    Parameters:
        original: the factory itself.
        loop: the loop whose next turn comes after the connection has its transport.
        made: told then, in the context of the server.
    """

    def __init__(self, original: Callable[[], Any], loop: Any, made: Callable[[Any], None]) -> None:
        self.original = original
        self.loop = loop
        self.made = made

    def __call__(self) -> Any:
        protocol = self.original()
        with contextlib.suppress(RuntimeError):  # the loop is being closed
            self.loop.call_soon(self.made, protocol)
        return protocol


def sockets_of(server: Any) -> list[Any]:
    """Return the sockets on which a server of a loop listens; none once it is closed."""
    if hasattr(server, "_sockets"):
        return list(server._sockets or ())
    return list(server.sockets or ())


def waited_for(server: Any) -> bool:
    """Tell whether a task stands in `serve_forever`, which closes the server when that task ends."""
    if hasattr(server, "_serving_forever_fut"):
        future = server._serving_forever_fut
    else:
        future = referent(server, asyncio.Future)
    return future is not None and not future.done()


def factory_of(server: Any) -> Any:
    """Return what a server calls for each connection: the stream callback, else the protocol factory."""
    return behind(getattr(server, "_protocol_factory", None))


def behind(factory: Any) -> Any:
    """Return what was handed to `start_server`, if this is the factory that it made."""
    if is_a(factory, Factory):
        factory = factory.original
    if is_a(factory, FunctionType) and factory.__module__ == asyncio.streams.__name__:
        cells = dict(zip(factory.__code__.co_freevars, factory.__closure__ or (), strict=False))
        return next(contents([cells[name] for name in ("client_connected_cb",) if name in cells]), factory)
    return factory


def clients_of(server: Any) -> list[Any]:
    """Return the open connections that a server of a stock loop has accepted."""
    clients = getattr(server, "_clients", None)
    if clients is not None:
        return list(clients)
    known = getattr(loop_of(server), "_transports", None)  # before 3.13
    return [t for t in list((known or {}).values()) if getattr(t, "_server", None) is server]


# --- transports ---------------------------------------------------------------------------------


def is_open(transport: Any) -> bool:
    """Tell whether a transport is open, neither closed nor on its way there, on a loop that lives."""
    loop = loop_of(transport)
    if loop is None or loop.is_closed() or transport.is_closing():
        return False
    protocol = protocol_of(transport)
    if carries_ssl(protocol):
        upper = upper_of(protocol)
        return upper is not None and not upper.is_closing()
    return not serves_process(protocol)


def protocol_of(transport: Any) -> Any:
    """Return the protocol of a transport, `None` where it has let go of it."""
    try:
        return transport.get_protocol()
    except AttributeError:  # the upper half of a TLS connection that was closed twice
        return None


def carries_ssl(protocol: Any) -> bool:
    """Tell whether a protocol does TLS for another one above it."""
    return is_a(protocol, _SSL_PROTOCOL) or of_uvloop(protocol, _UV_SSL)


def upper_of(protocol: Any) -> Any:
    """Return the transport that a TLS protocol shows to the application."""
    if hasattr(protocol, "_app_transport"):
        return protocol._app_transport
    return compiled(protocol, _UV_UPPER)


def lower_of(transport: Any) -> Any:
    """Return the transport under that of a TLS connection, `None` for any other."""
    if hasattr(transport, "_ssl_protocol"):
        return getattr(transport._ssl_protocol, "_transport", None)
    if not of_uvloop(transport, _UV_UPPER):
        return None
    below = (x for x in gc.get_referents(compiled(transport, _UV_SSL)) if not of_uvloop(x, _UV_UPPER))
    return next((x for x in below if type(x).__name__.endswith("Transport")), None)


def application(protocol: Any) -> Any:
    """Return the application's protocol, where this one only does TLS for it."""
    if not carries_ssl(protocol):
        return protocol
    if hasattr(protocol, "_app_protocol"):
        return protocol._app_protocol
    return protocol_of(upper_of(protocol))


def is_secure(transport: Any) -> bool:
    """Tell whether a transport is either half of a TLS connection."""
    return lower_of(transport) is not None or carries_ssl(protocol_of(transport))


def pipe_of(transport: Any) -> str:
    """Return `read` or `write` where a transport is over that end of a pipe, else an empty string."""
    if info(transport, "pipe") is None:
        return ""
    return "read" if "Read" in type(transport).__name__ else "write"


def serves_process(protocol: Any) -> bool:
    """Tell whether a protocol is one end of a child process's pipe."""
    module = sys.modules.get("asyncio.base_subprocess")
    return is_a(protocol, getattr(module, "WriteSubprocessPipeProto", ()))


def peer_callback(protocol: Any) -> Any:
    """Return the callback that serves a connection of `start_server`, `None` for any other protocol."""
    if not is_a(protocol, asyncio.StreamReaderProtocol):
        return None
    return attribute(protocol, "_client_connected_cb")


def accepted(transport: Any) -> bool:
    """Tell whether a server has accepted the connection."""
    thing = lower_of(transport) or transport
    if hasattr(thing, "_server"):
        return thing._server is not None
    return compiled(thing, "Server") is not None


def addresses(transport: Any) -> tuple[Any, Any]:
    """Return the local and the remote address of a transport, as far as it has them."""
    return info(transport, "sockname"), info(transport, "peername")


def info(transport: Any, name: str) -> Any:
    """Return one thing that a transport says of itself, `None` where it has let go of it."""
    try:
        return transport.get_extra_info(name)
    except (AttributeError, OSError):
        return None


def socket_of(transport: Any) -> Any:
    """Return the socket of a transport, if it has one that is an object of its own."""
    own = getattr(transport, "_sock", None)
    return own if own is not None else referent(transport, Socket)


def uv_transport_of(loop: Any, protocol: Any) -> Any:
    """Return the transport of a uvloop that talks to a protocol; the newest are looked at first."""
    known = referent(loop, weakref.WeakValueDictionary)
    if known is None:
        return None
    for reference in reversed(known.data.values()):
        transport = reference()
        own = protocol_of(transport)
        if own is protocol or (of_uvloop(own, _UV_SSL) and any(x is protocol for x in gc.get_referents(own))):
            return transport
    return None


# --- callbacks ----------------------------------------------------------------------------------


def enclosed(function: Any) -> Iterator[Any]:
    """Yield what a function keeps in its closure."""
    return contents(function.__closure__ or ()) if is_a(function, FunctionType) else iter(())


def contents(cells: Iterable[CellType]) -> Iterator[Any]:
    """Yield what is in some cells of closures; an empty one has nothing."""
    for cell in cells:
        with contextlib.suppress(ValueError):
            yield cell.cell_contents


def has_waiter(thing: Any) -> bool:
    """Tell whether a thing is a pending future or event that somebody waits for."""
    if is_a(thing, asyncio.Event):
        return bool(getattr(thing, "_waiters", ()))
    return is_a(thing, asyncio.Future) and not thing.done() and bool(getattr(thing, "_callbacks", True))
