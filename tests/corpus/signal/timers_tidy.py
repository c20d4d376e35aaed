# expect: clean
# why: timers are disarmed, have fired, or are set back to those of a wider fixture
# runner: sync
# needs: posix
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest


@pytest.fixture(scope="module")
def profiler() -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_PROF, 3600, 3600)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def test_disarms() -> None:
    signal.setitimer(signal.ITIMER_VIRTUAL, 30, 30)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.setitimer(signal.ITIMER_REAL, 30)
    signal.alarm(0)


def test_fires() -> None:
    fired = threading.Event()

    def on_alarm(number: int, frame: FrameType | None) -> None:
        fired.set()

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    while not fired.is_set():
        fired.wait(0.05)
    signal.signal(signal.SIGALRM, before)


def test_sets_back(profiler: None) -> None:
    before = signal.setitimer(signal.ITIMER_PROF, 7200, 7200)
    signal.setitimer(signal.ITIMER_PROF, *before)


def test_uses(profiler: None) -> None:
    assert signal.getitimer(signal.ITIMER_PROF)[1] == 3600
