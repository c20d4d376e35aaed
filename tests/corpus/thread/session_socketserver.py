# expect: clean
# why: handler threads of the session's server are started in tests, by its own thread, over a kept connection
# runner: sync
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

Address = tuple[str, int]


class Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    allow_reuse_address = True


def talk(connection: socket.socket) -> bytes:
    connection.sendall(b"hello\n")
    return connection.recv(100)


@pytest.fixture(scope="session")
def address() -> Iterator[Address]:
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        host, port = server.server_address[:2]
        yield str(host), int(port)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def kept(address: Address) -> Iterator[socket.socket]:
    with socket.create_connection(address) as connection:
        yield connection


def test_kept(kept: socket.socket) -> None:
    assert talk(kept) == b"hello\n"


def test_kept_again(kept: socket.socket) -> None:
    assert talk(kept) == b"hello\n"


def test_own(address: Address) -> None:
    with socket.create_connection(address) as connection:
        assert talk(connection) == b"hello\n"
