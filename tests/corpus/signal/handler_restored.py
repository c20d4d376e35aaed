# expect: clean
# why: what signal.signal() returned is installed again, in finally, in a with block, in a fixture, by name
# runner: sync
# needs: posix
import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import pytest


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


class Server:
    def handle(self, number: int, frame: FrameType | None) -> None:
        pass


@contextlib.contextmanager
def handling(number: int) -> Iterator[None]:
    before = signal.signal(number, on_signal)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_finally() -> None:
    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_with() -> None:
    with handling(signal.SIGTERM), handling(signal.SIGUSR1):
        with handling(signal.SIGTERM):
            pass


def test_bound_method() -> None:
    server = Server()
    with handling(signal.SIGTERM):
        before = signal.signal(signal.SIGTERM, server.handle)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, before)


def test_by_name() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR2)
    yield
    signal.signal(signal.SIGUSR2, before)


def test_by_fixture(restored: None) -> None:
    signal.signal(signal.SIGUSR2, on_signal)


def test_monkeypatch_like(request: pytest.FixtureRequest) -> None:
    request.addfinalizer(lambda: signal.signal(signal.SIGUSR2, signal.SIG_DFL))
    signal.signal(signal.SIGUSR2, on_signal)
