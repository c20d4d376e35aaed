# expect: clean
# why: the sockets that a session's server accepts in its own thread are the server's
# runner: thread
# args: --taskleak-severity=socket=fail
import socket
import threading
from collections.abc import Iterator

import pytest

Address = tuple[str, int]


class Server:
    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.accepted: list[socket.socket] = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            self.accepted.append(connection)
            if connection.recv(1) == b"q":
                return
            connection.send(b"x")


@pytest.fixture(scope="session")
def address() -> Iterator[Address]:
    server = Server()
    host, port = server.listener.getsockname()
    yield host, port
    with socket.create_connection((host, port)) as connection:
        connection.send(b"q")
        server.thread.join()
    for own in (*server.accepted, server.listener):
        own.close()


def test_first(address: Address) -> None:
    with socket.create_connection(address) as connection:
        connection.send(b"?")
        assert connection.recv(1) == b"x"


def test_last(address: Address) -> None:
    with socket.create_connection(address) as connection:
        connection.send(b"?")
        assert connection.recv(1) == b"x"
