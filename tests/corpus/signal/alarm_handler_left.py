# expect: TL631 test_leaves what=on_signal born=here
# why: alarm(0) disarms the timer, the handler stays
# runner: sync
# needs: posix
import signal
from types import FrameType


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


def test_leaves() -> None:
    signal.signal(signal.SIGALRM, on_signal)  # born:here
    signal.alarm(30)
    signal.alarm(0)


def test_neighbour() -> None:
    before = signal.signal(signal.SIGALRM, on_signal)
    signal.alarm(30)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
