# expect: TL631 fixture:app what=on_signal born=here on=test_second
# why: the module's fixture forgets to put back what was there; its tests are innocent
# runner: fixture module
# needs: posix
import signal
from collections.abc import Iterator
from types import FrameType

import pytest


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


@pytest.fixture(scope="module")
def app() -> Iterator[None]:
    signal.signal(signal.SIGTERM, on_signal)  # born:here
    yield


def test_first(app: None) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, before)


def test_second(app: None) -> None:
    assert signal.getsignal(signal.SIGTERM) is on_signal
