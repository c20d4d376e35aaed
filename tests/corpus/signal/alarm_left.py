# expect: TL632 test_leaves what=ITIMER_REAL born=here
# why: the alarm would hit whatever runs in an hour; the handler was put back
# runner: sync
# needs: posix
import signal
from types import FrameType


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


def test_leaves() -> None:
    before = signal.signal(signal.SIGALRM, on_signal)
    signal.alarm(3600)  # born:here
    signal.signal(signal.SIGALRM, before)


def test_neighbour() -> None:
    pass
