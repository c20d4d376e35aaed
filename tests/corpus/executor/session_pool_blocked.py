# expect: TL304 test_leaves
# why: the pool is the session's, the blocked call in it is the test's
# runner: sync
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


class Shared:
    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.gate = threading.Event()

    def block(self, begun: threading.Event) -> None:
        begun.set()
        self.gate.wait()


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    shared = Shared()
    yield shared
    shared.gate.set()
    shared.pool.shutdown()


def test_leaves(shared: Shared) -> None:
    begun = threading.Event()
    shared.pool.submit(shared.block, begun)
    begun.wait()


def test_neighbour(shared: Shared) -> None:
    assert shared.pool.submit(len, "abc").result() == 3
