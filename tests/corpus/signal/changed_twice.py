# expect: TL631 test_leaves what=second born=here
# why: two changes of one test to one signal are one leak
# runner: sync
# needs: posix
import signal
from types import FrameType


def first(number: int, frame: FrameType | None) -> None:
    pass


def second(number: int, frame: FrameType | None) -> None:
    pass


def test_leaves() -> None:
    signal.signal(signal.SIGTERM, first)  # born:here
    signal.signal(signal.SIGTERM, second)


def test_neighbour() -> None:
    pass
