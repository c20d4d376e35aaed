# expect: clean
# why: the fixture closes what the test has opened
# runner: sync
# args: --taskleak-severity=socket=fail
import socket
from collections.abc import Iterator

import pytest


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    made: list[socket.socket] = []
    yield made
    for own in made:
        own.close()


def test_tidy(opened: list[socket.socket]) -> None:
    opened.append(socket.socket())


def test_finalizer(request: pytest.FixtureRequest) -> None:
    own = socket.socket()
    request.addfinalizer(own.close)
