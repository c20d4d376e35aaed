# expect: TL521 fixture:listener on=test_last what=socket born=here severity=note
# why: the module's fixture has no teardown
# runner: sync
import socket

import pytest

kept: list[socket.socket] = []


@pytest.fixture(scope="module")
def listener() -> socket.socket:
    kept.append(socket.create_server(("127.0.0.1", 0)))  # born:here
    return kept[-1]


def test_first(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()):
        listener.accept()[0].close()


def test_last(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()):
        listener.accept()[0].close()
