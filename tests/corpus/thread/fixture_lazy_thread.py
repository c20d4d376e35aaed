# expect: clean
# why: the fixture's object starts its thread in the test and stops it in the fixture's teardown
# runner: sync
import threading
from collections.abc import Iterator

import pytest


class Pump:
    thread: threading.Thread | None = None

    def __init__(self) -> None:
        self.stop = threading.Event()

    def start(self) -> None:
        self.thread = threading.Thread(target=self.stop.wait)
        self.thread.start()

    def close(self) -> None:
        self.stop.set()
        if self.thread is not None:
            self.thread.join()


@pytest.fixture
def pump() -> Iterator[Pump]:
    pump = Pump()
    yield pump
    pump.close()


def test_starts(pump: Pump) -> None:
    pump.start()


def test_does_not(pump: Pump) -> None:
    assert pump.thread is None
