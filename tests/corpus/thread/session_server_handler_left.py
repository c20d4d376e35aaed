# expect: TL301 fixture:server what=*Server.handle born=start on=test_asks
# why: started during a test by the session server's own thread, it outlives the server's teardown
# runner: sync
import queue
import threading
from collections.abc import Iterator

import pytest


class Server:
    def __init__(self) -> None:
        self.requests: queue.Queue[threading.Event | None] = queue.Queue()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while (begun := self.requests.get()) is not None:
            threading.Thread(target=self.handle, args=(begun,), daemon=True).start()  # born:start

    def handle(self, begun: threading.Event) -> None:
        begun.set()
        threading.Event().wait()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.requests.put(None)
    server.thread.join()


def test_asks(server: Server) -> None:
    server.requests.put(begun := threading.Event())
    begun.wait()


def test_last() -> None:
    pass
