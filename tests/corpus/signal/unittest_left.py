# expect: TL631 TestCase::test_leaves what=on_signal born=here
# why: addCleanup puts back in one test and is forgotten in the other
# runner: unittest
# needs: posix
import signal
import unittest
from types import FrameType


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


class TestCase(unittest.TestCase):
    def setUp(self) -> None:
        before = signal.signal(signal.SIGUSR1, on_signal)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

    def test_leaves(self) -> None:
        signal.signal(signal.SIGTERM, on_signal)  # born:here

    def test_neighbour(self) -> None:
        pass
