"""Which servers are left listening?

A server on which a task stands in `serve_forever` ends with that task, which answers for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, network, sockets
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.futures import describe
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Recorder
from pytest_taskleak.model import Code, Resource
from pytest_taskleak.safely import attribute, is_a


class Servers(Detector):
    """Servers of a loop, and those of `socketserver`."""

    kind = "server"
    rank = 60
    tied: ClassVar[tuple[Ending, ...]] = ("close",)
    codes: ClassVar = {
        "TL501": Code(
            title="server left listening",
            meaning="A server still held its listening sockets when its owner's scope had closed, "
            "or when its loop was closed.",
            cause="start_server() without close(); shutdown() of a socketserver without server_close().",
            cure="Use the server in a with statement (async with for asyncio's), or close it.",
        ),
    }

    def __init__(self) -> None:
        self.served: weakref.WeakKeyDictionary[Any, tuple[str, str]] = weakref.WeakKeyDictionary()

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=True)

        def wrap_init(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(server: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                original(server, *args, **options)
                record(server, sys._getframe(1))
                sockets.take_over(network.sockets_of(server))

            return __init__

        def wrap_base(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(server: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                original(server, *args, **options)
                record(server, sys._getframe(1))

            return __init__

        def wrap_create(original: Callable[..., Any]) -> Callable[..., Any]:
            async def create(loop: Any, /, *args: Any, **options: Any) -> Any:
                server = await original(loop, *args, **options)
                with contextlib.suppress(Exception):  # whatever uvloop hands out, it is not ours to break
                    record(server, sys._getframe(1))
                    sockets.take_over([options.get("sock")])
                    factory = args[0] if args else options.get("protocol_factory")
                    self.served[server] = describe(network.behind(factory))
                return server

            return create

        yield Patch(network.server_classes, "__init__", wrap_init, "servers")
        yield Patch(base_servers, "__init__", wrap_base, "servers of socketserver", after=("socketserver",))
        for name in ("create_server", "create_unix_server"):
            yield Patch(asyncio_.uvloops, name, wrap_create, "servers of uvloop", after=UVLOOP)

    def alive(self, thing: Any) -> bool:
        if is_base(thing):
            own = attribute(thing, "socket")
            return is_a(own, sockets.Socket) and sockets.fileno(own) != -1
        loop = network.loop_of(thing)
        if loop is None or loop.is_closed() or not network.sockets_of(thing):
            return False
        return not network.waited_for(thing)

    def loop(self, thing: Any) -> Any:
        return None if is_base(thing) else network.loop_of(thing)

    def parts(self, thing: Any) -> Iterable[Any]:
        if is_base(thing):
            return (attribute(thing, "socket"),)
        return (*network.sockets_of(thing), *network.clients_of(thing))

    def describe(self, thing: Any) -> Resource:
        if is_base(thing):
            module, what = describe(attribute(thing, "RequestHandlerClass"))
            bound = [sockets.addresses(attribute(thing, "socket"))[0]]
            word = type(thing).__name__
        else:
            module, what = self.served.get(thing) or describe(network.factory_of(thing))
            bound = [sockets.asked(own.getsockname) for own in network.sockets_of(thing)]
            word = "tcp server" if any(sockets.host(x) for x in bound) else "unix server"
        hosts = ", ".join(sorted({sockets.host(x) for x in bound} - {""}))
        listens = ", ".join(filter(None, map(sockets.readable, bound)))
        return Resource(
            code="TL501",
            name=f"{word} on {hosts}" if hosts else word,
            what=what,
            module=module,
            state="is still listening",
            role="target" if is_base(thing) else "callback",
            details=(("listens", listens),) if listens else (),
        )

    def advice(self, resource: Resource) -> str:
        if resource.role == "target":
            return "use the server in a with statement, or call its shutdown() and server_close()"
        return "use `async with server:`, or server.close() and await server.wait_closed()"

    def remove(self, thing: Any) -> bool:
        if is_base(thing):
            return False  # closing its socket under a thread that serves would only break that thread
        loop = network.loop_of(thing)
        if loop is None or loop.is_closed():
            return False
        if asyncio_.runs_elsewhere(loop):
            loop.call_soon_threadsafe(thing.close)
            return True
        clients = network.clients_of(thing)
        thing.close()
        for transport in clients:
            transport.abort()
        if asyncio_.can_turn(loop):
            asyncio_.turn(loop, 2)  # in which its connections let go of their sockets
        return True

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        loop = asyncio.new_event_loop()
        ours, other = socket.socketpair()
        server = network.at_once(loop.create_server(asyncio.Protocol, sock=ours, start_serving=False))
        try:
            yield server
        finally:
            server.close()
            ours.close()
            other.close()
            loop.close()


def base_servers() -> list[type]:
    """Return the base class of the threaded servers, once somebody has imported it."""
    module = sys.modules.get("socketserver")
    return [] if module is None else [module.BaseServer]


def is_base(thing: Any) -> bool:
    """Tell whether a server is one of `socketserver`, which has no loop."""
    return any(is_a(thing, kind) for kind in base_servers())


detector = Servers()
