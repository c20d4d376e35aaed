"""Servers: which are listening, which are a task's, and how are they told?"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import importlib
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncio_

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

LOOPS: dict[str, Any] = {"asyncio": asyncio}
with contextlib.suppress(ImportError):  # before any watch: what is imported in a test is not seen in it
    LOOPS["uvloop"] = importlib.import_module("uvloop")


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of either kind."""
    made: asyncio.AbstractEventLoop = LOOPS[request.param].new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    asyncio_.turn(made, 3)
    made.close()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the other end has closed."""
    while line := await reader.readline():
        writer.write(line)
    writer.close()


def started(loop: asyncio.AbstractEventLoop) -> asyncio.Server:
    """Return a server that listens."""
    return loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))


def test_listening_until_closed(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    server = started(loop)
    assert lab.live("server") == [server]
    server.close()
    assert lab.live("server") == []


def test_a_server_that_was_not_started_yet(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    making = loop.create_server(asyncio.Protocol, "127.0.0.1", 0, start_serving=False)
    server = loop.run_until_complete(making)
    assert lab.live("server") == [server]
    server.close()


def test_describe(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    server = started(loop)
    port = server.sockets[0].getsockname()[1]
    told = lab.detector("server").describe(server)
    assert (told.code, told.name, told.what) == ("TL501", "tcp server on 127.0.0.1", "serve")
    assert (told.state, told.role) == ("is still listening", "callback")
    assert told.details == (("listens", f"127.0.0.1:{port}"),)
    assert lab.detector("server").loop(server) is loop
    assert "async with" in lab.detector("server").advice(told)
    gone = lab.detector("server").ended(told, "close")
    assert (gone.state, gone.outlives) == ("was still listening when its loop was closed", False)
    server.close()
    assert lab.detector("server").describe(server).details == ()


class Service(asyncio.Protocol):
    """What a server makes for each connection."""


def test_describe_a_factory(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    server = loop.run_until_complete(loop.create_server(protocol_factory=Service, host="127.0.0.1", port=0))
    assert lab.detector("server").describe(server).what == "Service"
    server.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")
def test_unix(lab: Lab, loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    server = loop.run_until_complete(asyncio.start_unix_server(serve, path))
    assert lab.live("server") == [server]
    told = lab.detector("server").describe(server)
    assert (told.name, told.details) == ("unix server", (("listens", path),))
    server.close()


def test_a_task_in_serve_forever_answers_for_it(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    server = started(loop)
    task = loop.create_task(server.serve_forever())
    asyncio_.turn(loop, 3)
    assert lab.live("server") == []
    task.cancel()
    asyncio_.turn(loop, 3)
    assert task.cancelled()
    assert server.sockets == () or not server.sockets
    assert lab.live("server") == []


def test_closed_with_its_loop(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    server = started(loop)
    loop.close()
    assert not lab.detector("server").alive(server)
    assert lab.detector("server").remove(server) is False
    server.close()


def test_remove_closes_the_connections_too(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    server = started(loop)
    address = server.sockets[0].getsockname()
    with socket.create_connection(address) as client:
        client.sendall(b"hello\n")
        while not (accepted := [t for t in lab.live("transport") if t is not None]):
            asyncio_.turn(loop)
        assert set(accepted) < set(lab.detector("server").parts(server))
        assert lab.detector("server").remove(server)
        assert lab.live("server") == []
        assert lab.live("transport") == []
        client.settimeout(10)
        with contextlib.suppress(ConnectionError):
            while client.recv(10):
                pass
    for task in asyncio.all_tasks(loop):
        task.cancel()
    asyncio_.turn(loop, 3)
    loop.close()


def test_remove_from_another_thread(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    server = started(loop)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    lab.detector("server").remove(server)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert lab.live("server") == []


class Handler(http.server.BaseHTTPRequestHandler):
    """Handles nothing."""


@pytest.mark.parametrize("kind", [http.server.HTTPServer, socketserver.UDPServer])
def test_socketserver(lab: Lab, kind: type[socketserver.BaseServer]) -> None:
    server: Any = kind(("127.0.0.1", 0), Handler)
    assert lab.live("server") == [server]
    detector = lab.detector("server")
    told = detector.describe(server)
    assert (told.name, told.what) == (f"{kind.__name__} on 127.0.0.1", "Handler")
    assert told.details == (("listens", f"127.0.0.1:{server.server_address[1]}"),)
    assert "server_close()" in detector.advice(told)
    assert tuple(detector.parts(server)) == (server.socket,)
    assert detector.loop(server) is None
    assert detector.remove(server) is False
    assert lab.live("server") == [server]
    server.server_close()
    assert lab.live("server") == []
    assert detector.describe(server).details == ()


def test_socketserver_that_cannot_bind(lab: Lab) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match=r".+"),
    ):
        http.server.HTTPServer(taken.getsockname(), Handler)
    assert lab.live("server") == []


def test_a_server_without_a_socket(lab: Lab) -> None:
    server = socketserver.BaseServer(("127.0.0.1", 0), Handler)
    assert not lab.detector("server").alive(server)


@pytest.mark.skipif(sys.platform == "win32", reason="a selector's matter")
def test_the_sockets_of_a_server_are_told_with_it(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    own = socket.create_server(("127.0.0.1", 0))
    assert lab.live("socket") == [own]
    server = loop.run_until_complete(asyncio.start_server(serve, sock=own))
    assert lab.live("socket") == []
    server.close()
    asyncio_.turn(loop)
    own.close()
