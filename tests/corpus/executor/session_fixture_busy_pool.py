# expect: TL303 fixture:service born=made on=test_starts
# why: the session's service runs a loop in its pool and is never stopped
# runner: sync
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest


class Service:
    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)  # born:made
        self.begun = threading.Event()

    def start(self) -> None:
        self.pool.submit(self.run)
        self.begun.wait()

    def run(self) -> None:
        self.begun.set()
        threading.Event().wait()


@pytest.fixture(scope="session")
def service() -> Service:
    return Service()


def test_starts(service: Service) -> None:
    service.start()


def test_last() -> None:
    pass
