# expect: clean
# why: the fixture's thread is ended by the ExitStack fixture of the same scope, torn down after it
# runner: sync
import contextlib
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def pump(stack: contextlib.ExitStack) -> threading.Thread:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    stack.callback(thread.join)
    stack.callback(stop.set)
    return thread


def test_first(pump: threading.Thread) -> None:
    assert pump.is_alive()


def test_last(pump: threading.Thread) -> None:
    assert pump.is_alive()
