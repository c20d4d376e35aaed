# expect: clean
# why: the sockets of a session's client are made in the tests and closed with it
# runner: sync
# args: --taskleak-severity=socket=fail
import socket
from collections.abc import Iterator

import pytest


class Client:
    def __init__(self) -> None:
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    def ask(self) -> bytes:
        if not self.pairs:
            self.pairs.append(socket.socketpair())
        ours, other = self.pairs[0]
        ours.send(b"x")
        return other.recv(1)


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    made = Client()
    yield made
    for pair in made.pairs:
        for end in pair:
            end.close()


def test_first(client: Client) -> None:
    assert client.ask() == b"x"


def test_last(client: Client) -> None:
    assert client.ask() == b"x"
