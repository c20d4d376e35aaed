# expect: TL301 fixture:engine what=*Connection* on=test_reuses
# why: the leaking twin: the engine's fixture never disposes of it
# runner: sync
import queue
import threading

import pytest


class Connection(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="connection")
        self.jobs: queue.Queue[threading.Event] = queue.Queue()

    def run(self) -> None:
        while True:
            self.jobs.get().set()


class Engine:
    def __init__(self) -> None:
        self.pool: list[Connection] = []

    def execute(self) -> None:
        if not self.pool:
            self.pool.append(Connection())
            self.pool[0].start()
        done = threading.Event()
        self.pool[0].jobs.put(done)
        done.wait()


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


def test_opens(engine: Engine) -> None:
    engine.execute()


def test_reuses(engine: Engine) -> None:
    engine.execute()


def test_without() -> None:
    pass
