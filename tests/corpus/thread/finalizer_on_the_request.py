# expect: clean
# why: stopped by request.addfinalizer, not by code after a yield
# runner: sync
import threading

import pytest


@pytest.fixture
def pump(request: pytest.FixtureRequest) -> threading.Thread:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    request.addfinalizer(thread.join)
    request.addfinalizer(stop.set)
    return thread


def test_uses(pump: threading.Thread) -> None:
    assert pump.is_alive()


def test_adds_its_own(request: pytest.FixtureRequest) -> None:
    stop = threading.Event()
    threading.Thread(target=stop.wait).start()
    request.addfinalizer(stop.set)
