# expect: TL631 test_leaves what=on_signal born=here
# why: the handler stays installed for all tests that follow
# runner: sync
# needs: posix
import signal
from types import FrameType


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


def test_leaves() -> None:
    signal.signal(signal.SIGTERM, on_signal)  # born:here


def test_neighbour() -> None:
    pass
