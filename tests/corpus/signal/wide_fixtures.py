# expect: clean
# why: fixtures install and restore; tests change what those have installed, and put it back or stop them
# runner: fixture session
# needs: posix
import signal
from collections.abc import Iterator
from types import FrameType

import pytest


class App:
    def __init__(self, number: int) -> None:
        self.number = number
        self.before = signal.signal(number, self.stop)

    def stop(self, number: int, frame: FrameType | None) -> None:
        pass

    def close(self) -> None:
        signal.signal(self.number, self.before)


@pytest.fixture(scope="session")
def app() -> Iterator[App]:
    made = App(signal.SIGTERM)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_app(app: App) -> Iterator[App]:
    made = App(signal.SIGTERM)
    yield made
    made.close()


@pytest.fixture
def function_app() -> App:
    return App(signal.SIGUSR1)


def test_changes_for_a_while(app: App) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, before)


def test_stacked(module_app: App) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, before)


def test_stops_the_fixtures_app(function_app: App) -> None:
    function_app.close()


def test_again(app: App) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, before)
