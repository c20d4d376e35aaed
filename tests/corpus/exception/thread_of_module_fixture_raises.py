# expect: TL703 fixture:server what=serve born=here on=test_last
# why: the fixture's thread fails while a test runs; the fixture is told at its end
# runner: thread
import threading
from collections.abc import Iterator

import pytest

GO = threading.Event()


def serve() -> None:
    GO.wait()
    raise ValueError("boom")


@pytest.fixture(scope="module")
def server() -> Iterator[threading.Thread]:
    thread = threading.Thread(target=serve)
    thread.start()  # born:here
    yield thread
    thread.join()


def test_meanwhile(server: threading.Thread) -> None:
    GO.set()
    server.join()


def test_last(server: threading.Thread) -> None:
    assert not server.is_alive()
