# expect: TL631 test_leaves what=on_signal born=here
# why: pytest-timeout uses a thread here; the handler is the test's
# runner: sync
# needs: pytest-timeout, posix
# args: -p pytest_timeout --timeout=50 --timeout-method=thread
import signal
from types import FrameType


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


def test_leaves() -> None:
    signal.signal(signal.SIGUSR1, on_signal)  # born:here


def test_neighbour() -> None:
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
