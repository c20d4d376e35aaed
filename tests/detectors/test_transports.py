"""Transports: which are open, which belong to something else, and how are they told?"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncio_, network

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

LOOPS: dict[str, Any] = {"asyncio": asyncio}
with contextlib.suppress(ImportError):  # before any watch: what is imported in a test is not seen in it
    LOOPS["uvloop"] = importlib.import_module("uvloop")

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="pipes of posix")
TLS = Path(__file__).parent.parent / "corpus" / "transport" / "tls.py"


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of either kind."""
    made: asyncio.AbstractEventLoop = LOOPS[request.param].new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    asyncio_.turn(made, 3)
    made.close()


@pytest.fixture
def peer() -> Iterator[list[socket.socket]]:
    """Keeps the other ends until the test is over."""
    ends: list[socket.socket] = []
    yield ends
    for end in ends:
        end.close()


class Client(asyncio.Protocol):
    """Does nothing with what it receives."""


Connected = tuple[asyncio.Transport, asyncio.BaseProtocol]


def connected(loop: asyncio.AbstractEventLoop, peer: list[socket.socket]) -> Connected:
    """Return a transport over one end of a socket pair."""
    ours, other = socket.socketpair()
    peer.append(other)
    return loop.run_until_complete(loop.create_connection(Client, sock=ours))


def test_open_until_closed(lab: Lab, loop: asyncio.AbstractEventLoop, peer: list[socket.socket]) -> None:
    transport, _ = connected(loop, peer)
    assert lab.live("transport") == [transport]
    transport.close()
    assert lab.live("transport") == []
    asyncio_.turn(loop, 2)
    assert lab.live("transport") == []


def test_ends_with_its_peer(lab: Lab, loop: asyncio.AbstractEventLoop, peer: list[socket.socket]) -> None:
    connected(loop, peer)
    peer[0].close()
    asyncio_.turn(loop, 3)
    assert lab.live("transport") == []


def test_describe_and_remove(lab: Lab, loop: asyncio.AbstractEventLoop, peer: list[socket.socket]) -> None:
    transport, protocol = connected(loop, peer)
    detector = lab.detector("transport")
    told = detector.describe(transport)
    assert (told.code, told.name, told.what) == ("TL511", "unix connection", "Client")
    assert (told.state, told.noun) == ("is still open", "")
    assert dict(told.details) == {"protocol": "Client"}
    assert tuple(detector.keeper(transport)) == (transport, protocol)
    assert detector.loop(transport) is loop
    assert detector.remove(transport)
    assert lab.live("transport") == []
    assert peer[0].recv(1) == b""  # the socket is closed too
    assert detector.describe(transport).code == "TL511"
    assert detector.remove(transport) is False


def test_remove_from_another_thread(
    lab: Lab, loop: asyncio.AbstractEventLoop, peer: list[socket.socket]
) -> None:
    transport, _ = connected(loop, peer)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    lab.detector("transport").remove(transport)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert lab.live("transport") == []


def test_ends_with_its_loop(lab: Lab, peer: list[socket.socket]) -> None:
    loop = asyncio.new_event_loop()
    transport, _ = connected(loop, peer)
    detector = lab.detector("transport")
    told = detector.ended(detector.describe(transport), "close")
    assert (told.state, told.outlives) == ("was still open when its loop was closed", False)
    transport.abort()
    asyncio_.turn(loop, 2)
    loop.close()
    assert not detector.alive(transport)
    assert detector.remove(transport) is False


def test_both_ends_of_a_stream(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    kept: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)
        writer.write(b"hello\n")

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        kept.append(writer)
        assert await reader.readline() == b"hello\n"
        server.close()

    loop.run_until_complete(main())
    found = {lab.detector("transport").describe(t).name: t for t in lab.live("transport")}
    assert set(found) == {"connection from 127.0.0.1", "connection to 127.0.0.1"}
    told = [lab.detector("transport").describe(t) for t in found.values()]
    assert {t.noun for t in told} == {"StreamWriter"}
    ends = [dict(t.details) for t in told]
    assert ends[0]["local"] == ends[1]["remote"]
    whats = {name: lab.detector("transport").describe(t).what.rpartition(".")[2] for name, t in found.items()}
    assert whats == {
        "connection from 127.0.0.1": "serve",
        "connection to 127.0.0.1": "StreamReaderProtocol",
    }
    for writer in kept:
        writer.close()
    assert lab.live("transport") == []
    asyncio_.turn(loop, 3)


def test_datagrams(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    making = loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    transport, _ = loop.run_until_complete(making)
    assert lab.live("transport") == [transport]
    told = lab.detector("transport").describe(transport)
    assert (told.name, told.what) == ("udp endpoint on 127.0.0.1", "DatagramProtocol")
    assert lab.detector("transport").remove(transport)
    assert lab.live("transport") == []


@POSIX
def test_pipes(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    out, into = os.pipe()

    async def main() -> None:
        await loop.connect_read_pipe(Client, os.fdopen(out, "rb"))
        await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(into, "wb"))

    loop.run_until_complete(main())
    reading, writing = lab.live("transport")
    detector = lab.detector("transport")
    assert [detector.describe(x).name for x in (reading, writing)] == ["read pipe", "write pipe"]
    assert detector.remove(reading)
    detector.remove(writing)  # has ended with its reader, or ends now
    assert lab.live("transport") == []


@POSIX
def test_the_pipes_of_a_process_are_its_own(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert lab.live("transport") == []
        assert lab.live("socket") == []
        await process.communicate(b"\n")

    loop.run_until_complete(main())
    assert lab.live("transport") == []


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of the corpus."""
    names: dict[str, Any] = {}
    exec(compile(TLS.read_text(encoding="utf-8"), str(TLS), "exec"), names)  # noqa: S102 -- a module of ours
    made: tuple[ssl.SSLContext, ssl.SSLContext] = names["contexts"]()
    return made


@POSIX
def test_tls_is_told_as_one(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    ours, theirs = contexts()
    accepted: list[Any] = []

    class Service(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    async def main() -> Connected:
        server = await loop.create_server(Service, "127.0.0.1", 0, ssl=ours)
        address = server.sockets[0].getsockname()
        made = await loop.create_connection(Client, *address, ssl=theirs, server_hostname="localhost")
        while not accepted:
            await asyncio.sleep(0)
        server.close()
        return made

    transport, protocol = loop.run_until_complete(main())
    detector = lab.detector("transport")
    left = lab.live("transport")
    parts = {id(part) for whole in left for part in detector.parts(whole)}
    wholes = [x for x in left if id(x) not in parts]
    told = {detector.describe(x).what.rpartition(".")[2]: detector.describe(x).name for x in wholes}
    assert told == {"Client": "TLS connection to 127.0.0.1", "Service": "TLS connection from 127.0.0.1"}
    assert any(protocol in tuple(detector.keeper(x)) for x in wholes)
    transport.close()  # shakes hands before it ends: neither half counts from here on
    live = lab.live("transport")
    assert {detector.describe(x).what.rpartition(".")[2] for x in live} == {"Service"}
    for whole in live:
        detector.remove(whole)
    assert lab.live("transport") == []


def test_a_connection_taken_over(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        making = loop.connect_accepted_socket(Client, accepted)
        transport, _ = loop.run_until_complete(making)
        assert lab.live("transport") == [transport]
        client.close()
        asyncio_.turn(loop, 3)
        assert lab.live("transport") == []


def test_what_a_uvloop_accepts_is_found_by_its_protocol(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    made: list[Client] = []

    def factory() -> Client:
        made.append(Client())
        return made[-1]

    async def main() -> list[Any]:
        server = await loop.create_server(factory, "127.0.0.1", 0)
        clients = [
            (await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname()))[0]
            for _ in range(3)
        ]
        while len(lab.live("transport")) < 6:
            await asyncio.sleep(0)
        server.close()
        return clients

    clients = loop.run_until_complete(main())
    protocols = [network.protocol_of(x) for x in lab.live("transport") if x not in clients]
    assert protocols == made
    for transport in lab.live("transport"):
        transport.abort()
    asyncio_.turn(loop, 3)


def test_a_failing_factory_fails_as_ever(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    def factory() -> asyncio.Protocol:
        raise LookupError

    ours, other = socket.socketpair()
    with ours, other, pytest.raises(LookupError):
        loop.run_until_complete(loop.create_connection(factory, sock=ours))
    assert lab.live("transport") == []
