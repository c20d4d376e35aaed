# expect: TL631 test_leaves what=on_signal born=here
# why: a name taken before anybody watched leads to the same function
# runner: sync
# needs: posix
from signal import SIG_DFL, SIGTERM, getsignal, signal
from types import FrameType


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


def test_leaves() -> None:
    signal(SIGTERM, on_signal)  # born:here


def test_neighbour() -> None:
    pass
