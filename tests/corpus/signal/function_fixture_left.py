# expect: TL631 fixture:app what=App.stop born=here on=test_uses
# why: the fixture installs a handler and has no teardown
# runner: fixture function
# needs: posix
import signal
from types import FrameType

import pytest


class App:
    def __init__(self) -> None:
        signal.signal(signal.SIGTERM, self.stop)  # born:here

    def stop(self, number: int, frame: FrameType | None) -> None:
        pass


@pytest.fixture
def app() -> App:
    return App()


def test_uses(app: App) -> None:
    assert app


def test_neighbour() -> None:
    pass
