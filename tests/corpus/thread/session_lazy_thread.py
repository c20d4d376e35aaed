# expect: clean
# why: the engine of the session opens a connection with a thread of its own in the first test: adopted
# runner: sync
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

Job = Callable[[], None]


class Connection(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="connection")
        self.jobs: queue.Queue[Job | None] = queue.Queue()

    def run(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()


class Engine:
    def __init__(self) -> None:
        self.pool: list[Connection] = []

    def execute(self) -> None:
        if not self.pool:
            self.pool.append(Connection())
            self.pool[0].start()
        done = threading.Event()
        self.pool[0].jobs.put(done.set)
        done.wait()

    def dispose(self) -> None:
        for connection in self.pool:
            connection.jobs.put(None)
            connection.join()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.dispose()


def test_opens(engine: Engine) -> None:
    engine.execute()


def test_reuses(engine: Engine) -> None:
    engine.execute()


def test_without() -> None:
    pass
