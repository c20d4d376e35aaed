"""Which transports (and with them StreamWriters) are left open?

The transport under a TLS connection is told as part of that; the pipes of a child process belong to
the process; what is closing already ends by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, network, sockets
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.futures import describe
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Recorder
from pytest_taskleak.model import Code, Resource

CONNECTING = (
    "create_connection",
    "create_unix_connection",
    "create_datagram_endpoint",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
)
SERVING = ("create_server", "create_unix_server")


class Transports(Detector):
    """Transports of stock loops and of uvloop."""

    kind = "transport"
    rank = 70
    tied: ClassVar[tuple[Ending, ...]] = ("close",)
    codes: ClassVar = {
        "TL511": Code(
            title="transport left open",
            meaning="A transport, or the StreamWriter over it, was still open when its owner's scope had "
            "closed, or when its loop was closed.",
            cause="open_connection() without writer.close(); a server's handler that returns without it; "
            "a client session that nobody closes.",
            cure="Close the writer or the transport where the connection is no longer needed.",
        ),
    }

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)

        def wrap_init(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(transport: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                original(transport, *args, **options)
                record(transport, sys._getframe(1), getattr(transport, "_server", None))
                sockets.take_over([getattr(transport, "_sock", None)])

            return __init__

        def wrap_connect(original: Callable[..., Any]) -> Callable[..., Any]:
            async def connect(loop: Any, /, *args: Any, **options: Any) -> Any:
                made = await original(loop, *args, **options)
                with contextlib.suppress(Exception):  # whatever uvloop hands out, it is not ours to break
                    record(network.lower_of(made[0]) or made[0], sys._getframe(1))
                    sockets.take_over([options.get("sock"), *args[1:2]])
                return made

            return connect

        def wrap_serve(original: Callable[..., Any]) -> Callable[..., Any]:
            async def serve(loop: Any, /, *args: Any, **options: Any) -> Any:
                def accepted(protocol: Any) -> None:
                    transport = network.uv_transport_of(loop, protocol)
                    if transport is not None:
                        with contextlib.suppress(Exception):  # see `connect`
                            record(transport, None)

                if args:
                    args = (network.Factory(args[0], loop, accepted), *args[1:])
                elif "protocol_factory" in options:
                    factory = network.Factory(options["protocol_factory"], loop, accepted)
                    options = {**options, "protocol_factory": factory}
                return await original(loop, *args, **options)

            return serve

        yield Patch(network.transport_classes, "__init__", wrap_init, "transports")
        for name in CONNECTING:
            yield Patch(asyncio_.uvloops, name, wrap_connect, "transports of uvloop", after=UVLOOP)
        for name in SERVING:
            yield Patch(asyncio_.uvloops, name, wrap_serve, "connections to uvloop", after=UVLOOP)

    def alive(self, thing: Any) -> bool:
        return network.is_open(thing)

    def loop(self, thing: Any) -> Any:
        return network.loop_of(thing)

    def parts(self, thing: Any) -> Iterable[Any]:
        return (network.lower_of(thing), network.socket_of(thing))

    def keeper(self, thing: Any) -> Iterable[Any]:
        return (thing, network.application(network.protocol_of(thing)))

    def describe(self, thing: Any) -> Resource:
        protocol = network.application(network.protocol_of(thing))
        callback = network.peer_callback(protocol)
        kind = describe(type(protocol))
        module, what = kind if callback is None else describe(callback)
        local, remote = map(sockets.readable, network.addresses(thing))
        rows = (("local", local), ("remote", remote), ("protocol", kind[1]))
        return Resource(
            code="TL511",
            name=name_of(thing),
            what=what,
            module=module,
            state="is still open",
            role="" if callback is None else "callback",
            noun="StreamWriter" if kind[1] == "StreamReaderProtocol" else "",
            details=tuple((label, text) for label, text in rows if text),
        )

    def advice(self, resource: Resource) -> str:
        if resource.noun:
            return "writer.close(), then await writer.wait_closed(); in a handler, in a finally clause"
        return "close the client that made it, or call transport.close()"

    def remove(self, thing: Any) -> bool:
        if not network.is_open(thing):
            return False  # ended with another one meanwhile; a pipe must not be aborted twice
        loop = network.loop_of(thing)
        end = thing.close if network.pipe_of(thing) == "read" else thing.abort
        if asyncio_.runs_elsewhere(loop):
            loop.call_soon_threadsafe(end)
            return True
        end()
        if asyncio_.can_turn(loop):
            asyncio_.turn(loop, 2)  # in which it lets go of its socket
        return True

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        loop = asyncio.new_event_loop()
        ours, other = socket.socketpair()
        connecting = loop.connect_accepted_socket(asyncio.Protocol, ours)
        connecting.send(None)
        asyncio_.turn(loop, 2)
        transport, _ = network.at_once(connecting)
        try:
            yield transport
        finally:
            transport.abort()
            asyncio_.turn(loop, 2)
            other.close()
            loop.close()


def name_of(transport: Any) -> str:
    """Return what a transport is called: the same in every run, hence without ports and paths."""
    pipe = network.pipe_of(transport)
    if pipe:
        return f"{pipe} pipe"
    local, remote = map(sockets.host, network.addresses(transport))
    if hasattr(transport, "sendto"):
        return f"udp endpoint to {remote}" if remote else f"udp endpoint on {local}" if local else "endpoint"
    secure = "TLS " if network.is_secure(transport) else ""
    if not remote:
        return f"{secure}unix connection"
    return f"{secure}connection {'from' if network.accepted(transport) else 'to'} {remote}"


detector = Transports()
