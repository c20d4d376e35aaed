"""How does code that is written to asyncio's streams run under a storm, where there is no socket?

`env.stream_pair()` returns both ends of a connection in memory; `env.server()` and `env.connect()` stand in
for `asyncio.start_server()` and `asyncio.open_connection()`, and take what these take.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_taskleak.storm.client_ends import AskingReader, AskingWriter
from pytest_taskleak.storm.lines import STREAM
from pytest_taskleak.storm.news import News
from pytest_taskleak.storm.places import name_of
from pytest_taskleak.storm.wire import MemoryTransport, Way

if TYPE_CHECKING:
    from pytest_taskleak.storm.connecting import Connecting

LIMIT = 65_536
"""Bytes that a reader holds, half of what makes it pause."""
LATENCY = (0.0005, 0.002)

End: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Address: TypeAlias = tuple[Any, Any]


class MemoryServer(asyncio.AbstractServer):
    """Accepts connections in memory, as `asyncio.Server` does those of sockets.

    Parameters:
        network: the addresses of the run.
        handler: is given reader and writer of each connection.
        address: host and port.
        limit: bytes that a reader holds.
    """

    sockets: tuple[Any, ...] = ()

    def __init__(self, network: Network, handler: Callable[..., Any], address: Address, limit: int) -> None:
        self._network, self._handler, self._address, self._limit = network, handler, address, limit
        self._news = News()
        self._closed = False
        self.connections: set[MemoryTransport] = set()
        self._serving: set[asyncio.Task[Any]] = set()
        self._listening: Callable[[], object] | None = None

    def open(self) -> None:
        """Listen."""
        if self._listening is None and not self._closed:
            self._network.listening[self._address] = self
            self._listening = self._network.opened(f"server {told(self._address)}")

    def is_serving(self) -> bool:
        """Tell whether it accepts connections."""
        return self._listening is not None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the simulated loop."""
        return self._network.loop

    async def start_serving(self) -> None:
        """Listen, if it does not."""
        self.open()

    async def serve_forever(self) -> None:
        """Listen until it is cancelled, then close."""
        self.open()
        try:
            await self._news.until(lambda: self._closed)
        finally:
            self.close()

    def close(self) -> None:
        """Accept no more; the connections go on."""
        self._closed = True
        if self._listening is not None:
            del self._network.listening[self._address]
            self._listening()
            self._listening = None
        self._news.tell()

    def close_clients(self) -> None:
        """Close all connections."""
        for transport in list(self.connections):
            transport.close()

    def abort_clients(self) -> None:
        """Reset all connections."""
        for transport in list(self.connections):
            transport.abort()

    async def wait_closed(self) -> None:
        """Wait until it is closed and its last connection has ended, as Python does from 3.12 on."""
        await self._news.until(lambda: self._closed and not self.connections)

    def accept(self, incoming: Way, outgoing: Way, peer: Address) -> None:
        """Take a connection that has come in."""
        loop = self._network.loop
        reader = asyncio.StreamReader(limit=self._limit, loop=loop)
        protocol = Accepted(reader, self._serve, loop=loop)
        closed = self._network.opened(f"connection to server {told(self._address)}")
        transport = MemoryTransport(
            loop,
            protocol,
            incoming,
            outgoing,
            extra={"peername": peer, "sockname": self._address},
            closed=closed,
        )
        self.connections.add(transport)
        protocol.over = lambda: self._over(transport)
        protocol.connection_made(transport)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give a connection to the handler; Python 3.11 itself stumbles over one that is cancelled."""
        coro = self._handler(reader, writer)
        if not asyncio.iscoroutine(coro):
            return
        task = self._network.loop.create_task(coro)
        self._serving.add(task)
        task.add_done_callback(functools.partial(self._served, writer.transport))

    def _served(self, transport: asyncio.BaseTransport, task: asyncio.Task[Any]) -> None:
        self._serving.discard(task)
        if task.cancelled():
            transport.close()
        elif (error := task.exception()) is not None:
            message = "Unhandled exception in client_connected_cb"
            self._network.loop.call_exception_handler({"message": message, "exception": error})
            transport.close()

    def _over(self, transport: MemoryTransport) -> None:
        self.connections.discard(transport)
        self._news.tell()


class Accepted(asyncio.StreamReaderProtocol):
    """The protocol of a connection that a server has accepted: says when it is over."""

    over: Callable[[], object]

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended."""
        super().connection_lost(exc)
        self.over()


class Network:
    """All connections in memory of one run.

    Parameters:
        env: the environment of the run.
    """

    def __init__(self, env: Connecting) -> None:
        self.env = env
        self.loop: asyncio.AbstractEventLoop = env.loop
        self.listening: dict[Address, MemoryServer] = {}
        self.asking: list[AskingReader] = []
        """What clients read their answers from."""
        self._kept: list[asyncio.StreamWriter] = []  # one that is dropped would close itself, at any moment
        self._ports = 50_000

    def opened(self, name: str) -> Callable[[], None]:
        """Note that something is open that must be closed; return what notes that it is."""
        resource = self.env.resource(name)
        resource.open()
        return lambda: resource.close() if resource.is_open else None

    def of_clients(self) -> bool:
        """Tell whether it is a client's code that runs."""
        return asyncio.current_task(self.loop) in self.env.clients

    def of_client(self, end: End) -> End:
        """Note that an end is a client's, who may leave, or keep it open; return it."""
        transport: Any = end[1].transport
        lines = self.env.lines
        if self.env.held:
            transport.kept = lines.keep
        task = asyncio.current_task(self.loop)
        title = f"the client {name_of(task) if task is not None else '?'!r} of connection {len(lines.all)}"
        transport.tell_closed(lines.opened(title, STREAM, transport.leave))
        return end

    def ways(self, latency: tuple[float, float]) -> tuple[Way, Way]:
        """Return both directions of a new connection."""
        low, high = latency

        def delay() -> float:
            return low + (high - low) * self.env.rng.random()

        return Way(self.loop, delay), Way(self.loop, delay)

    def end(self, incoming: Way, outgoing: Way, name: str, limit: int, asks: str = "", **extra: Any) -> End:
        """Return one end of a connection, as who has opened it gets it.

        Parameters:
            incoming: what comes.
            outgoing: what goes.
            name: what it is called when it is left open; empty: nobody minds.
            limit: bytes that its reader holds.
            asks: what a client has connected to; empty where it is no client's.
            extra: what its `get_extra_info` tells.
        """
        loop = self.loop
        asking = AskingReader(asks, limit=limit, loop=loop) if asks else None
        reader = asking or asyncio.StreamReader(limit=limit, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        closed = self.opened(name) if name else nothing
        transport = MemoryTransport(loop, protocol, incoming, outgoing, extra=extra, closed=closed)
        protocol.connection_made(transport)
        if asking is not None:
            self.asking.append(asking)
            writer: asyncio.StreamWriter = AskingWriter(transport, protocol, asking, loop)
        else:
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._kept.append(writer)
        return reader, writer

    def pair(self, latency: tuple[float, float], limit: int) -> tuple[End, End]:
        """Return both ends of a connection."""
        there, back = self.ways(latency)
        names = [("memory", 0), ("memory", 1)]
        one = self.end(back, there, "", limit, sockname=names[0], peername=names[1])
        if self.of_clients():
            self.of_client(one)
        return one, self.end(there, back, "", limit, sockname=names[1], peername=names[0])

    async def connect(self, address: Address, latency: tuple[float, float], limit: int) -> End:
        """Return this end of a connection to a server.

        Raises:
            ConnectionRefusedError: nobody listens there when the connection comes in.
        """
        low, high = latency
        self._ports += 1
        own = ("memory", self._ports)
        await asyncio.sleep(low + (high - low) * self.env.rng.random())
        server = self.listening.get(address)
        if server is None:
            raise ConnectionRefusedError(f"nobody listens at {told(address)}")
        there, back = self.ways(latency)
        name = "" if self.of_clients() else f"connection from here to {told(address)}"
        asks = "" if name else f"server {told(address)}"
        end = self.end(back, there, name, limit, asks, sockname=own, peername=address)
        server.accept(there, back, own)
        return end if name else self.of_client(end)


def told(address: Address) -> str:
    """Return an address for people."""
    host, port = address
    return ":".join(str(part) for part in (host, port) if part is not None) or "memory"


def nothing() -> None:
    """Do nothing."""
