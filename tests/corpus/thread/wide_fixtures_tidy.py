# expect: clean
# why: class, module and session fixtures whose threads live through many tests and are stopped
# runner: sync
import threading
from collections.abc import Iterator

import pytest


def serving() -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield thread
    stop.set()
    thread.join()


@pytest.fixture(scope="session")
def session_thread() -> Iterator[threading.Thread]:
    yield from serving()


@pytest.fixture(scope="module")
def module_thread() -> Iterator[threading.Thread]:
    yield from serving()


@pytest.fixture(scope="class")
def class_thread() -> Iterator[threading.Thread]:
    yield from serving()


class TestAll:
    def test_one(self, session_thread: threading.Thread, class_thread: threading.Thread) -> None:
        assert session_thread.is_alive() and class_thread.is_alive()

    def test_two(self, module_thread: threading.Thread, class_thread: threading.Thread) -> None:
        assert module_thread.is_alive() and class_thread.is_alive()


def test_three(module_thread: threading.Thread) -> None:
    assert module_thread.is_alive()
