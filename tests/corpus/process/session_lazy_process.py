# expect: clean
# why: the session's client starts its server on first use, in a test
# runner: sync
# needs: posix
import subprocess
from collections.abc import Iterator

import pytest


class Client:
    def __init__(self) -> None:
        self.server: subprocess.Popen[bytes] | None = None

    def ask(self) -> int:
        if self.server is None:
            self.server = subprocess.Popen(["sleep", "60"])
        return self.server.pid

    def close(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait()


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


def test_one(client: Client) -> None:
    assert client.ask()


def test_two(client: Client) -> None:
    assert client.ask()


def test_neighbour() -> None:
    pass
